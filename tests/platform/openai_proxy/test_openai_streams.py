"""Streams of chats through the platform: when they come, what they cost, how they end."""

import json
from typing import Any

import openai
import pytest
from openai_agents import KEY, ask, proxied

from fixieai.testing.model_server import BreaksOff, Fails, Garbage, Hangs, Says


def test_a_stream_arrives_as_it_is_written() -> None:
    with proxied([Hangs("one two three")]) as (agent, _):
        stream = ask(agent.client(), stream=True)
        words = [next(stream).choices[0].delta.content for _ in range(3)]
        stream.close()

    assert words == ["one ", "two ", "three"]


def test_a_stream_is_counted_without_being_asked_to_tell() -> None:
    with proxied([Says("one two three four", usage=(30, 4))]) as (agent, server):
        chunks = list(ask(agent.client(), stream=True))
        assert agent.used() == 34

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two three four"
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


def test_who_asks_for_the_usage_of_a_stream_gets_it() -> None:
    with proxied([Says("one two", usage=(30, 4))]) as (agent, _):
        *_, last = ask(agent.client(), stream=True, stream_options={"include_usage": True})
        assert last.usage.total_tokens == 34
        assert agent.used() == 34


def test_a_stream_that_breaks_off_breaks_off_for_the_agent_and_what_was_said_is_paid() -> None:
    with proxied([BreaksOff("one two three")]) as (agent, _):
        with pytest.raises(openai.APIConnectionError):
            list(ask(agent.client(), stream=True))
        assert agent.used() > 3


def test_a_server_that_cannot_tell_of_usage_is_asked_without() -> None:
    def reply(body: dict[str, Any]) -> Any:
        if "stream_options" in body:
            return Fails(400, message="Unknown parameter: stream_options")
        return Says("one two three")

    with proxied(reply) as (agent, server):
        for _ in range(2):
            said = "".join(chunk.choices[0].delta.content or "" for chunk in ask(agent.client(), stream=True))
            assert said == "one two three"
        assert agent.used(7) > 6
        assert len(server.requests) == 3


def test_an_agent_that_stops_reading_pays_for_what_was_said_and_stops_the_call() -> None:
    with proxied([Says("word " * 2_000, seconds_per_word=0.02)]) as (agent, _):
        stream = ask(agent.client(), stream=True)
        for _, _chunk in zip(range(3), stream, strict=False):
            pass
        stream.close()
        assert 3 < agent.used() < 1_500


def test_an_error_in_a_stream_names_no_account_and_costs_nothing() -> None:
    error = {"error": {"message": f"No, {KEY} of org-abcdefghijklmnop", "type": "server_error"}}
    stream = f"data: {json.dumps(error)}\n\n".encode()
    with proxied([Garbage(stream, "text/event-stream"), Says("Hello", usage=(5, 2))]) as (agent, _):
        with pytest.raises(openai.APIError, match=r"No, \*\*\* of \*\*\*"):
            list(ask(agent.client(), stream=True))
        ask(agent.client())
        assert agent.used() == 7
