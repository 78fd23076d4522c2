"""Limits on what agents call by themselves."""

import openai
import pytest
from openai_agents import ask, proxied

from fixieai.platform import openai_proxy
from fixieai.testing.model_server import Hangs, Says


def test_at_a_limit_nothing_is_sent_and_the_client_does_not_try_again() -> None:
    with proxied([Says("Hello", usage=(90, 10))], tokens=100) as (agent, server):
        ask(agent.client())
        with pytest.raises(openai.RateLimitError, match="100 tokens") as refusal:
            ask(agent.client().with_options(max_retries=2))
        assert refusal.value.request.headers["x-stainless-retry-count"] == "0"
        assert refusal.value.type == "rate_limit_error"
        assert int(refusal.value.response.headers["retry-after"]) > 0
        assert len(server.requests) == 1


def test_what_an_agent_asks_by_itself_counts_for_the_query_it_answers() -> None:
    with proxied([Says("Hello", usage=(90, 10))], query_tokens=100) as (agent, server):

        def act(token: str) -> str:
            ask(agent.client(token))
            with pytest.raises(openai.RateLimitError, match="100 is the limit for one query"):
                ask(agent.client(token))
            return "asked once"

        agent.act = act
        for _ in range(2):
            assert agent.platform.ask("writer", "Write").text == "asked once"
        assert len(server.requests) == 2


def test_only_so_many_calls_of_one_person_are_under_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_proxy, "_CALLS_AT_ONCE", 3)
    with proxied([*(Hangs("one two") for _ in range(3)), Says("Hello")]) as (agent, server):
        client = agent.client()
        streams = [ask(client, stream=True) for _ in range(3)]
        assert [next(stream).choices[0].delta.content for stream in streams] == ["one "] * 3
        for _ in range(2):
            with pytest.raises(openai.RateLimitError, match="at once"):
                ask(client)
        for stream in streams:
            stream.close()

        # That nobody reads any more is seen a little later.
        answer = ask(client.with_options(max_retries=20))
        assert answer.choices[0].message.content == "Hello"
        assert len(server.requests) == 4
