"""Agents' own calls to OpenAI, with the real `openai` package, through the platform to a scripted server."""

import asyncio
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import DailyLimits, QueryLimits, Settings
from fixieai.testing import embeddings
from fixieai.testing.model_server import BreaksOff, Fails, Garbage, Hangs, ModelServer, Says, Script

KEY = "sk-of-the-platform"
NO_RETRIES = {"max_retries": 0, "timeout": 20.0}


@dataclass
class Agent:
    """An agent whose answer is what `act` returns, given a query token; and the token it got last."""

    platform: testing.Platform
    act: Callable[[str], str] = lambda token: token
    tokens: list[str] = field(default_factory=list)
    clients: list[openai.OpenAI] = field(default_factory=list)

    def serve(self, handle: str = "writer") -> None:
        def answer(query: fixieai.AgentQuery) -> str:
            self.tokens.append(query.access_token or "")
            return self.act(self.tokens[-1])

        self.platform.serve(fixieai.StandaloneAgent(answer), handle)
        self.base_url = f"{self.platform.url}/api/openai-proxy/v1"
        self.platform.ask(handle, "Who am I?")

    def client(self, key: str | None = None) -> openai.OpenAI:
        api_key = key or self.tokens[-1]
        client = openai.OpenAI(base_url=self.base_url, api_key=api_key, **NO_RETRIES)  # type: ignore[arg-type]
        self.clients.append(client)
        return client

    def used(self) -> int:
        """Tokens; looked at again for a while, since a stream is recorded when its reader has left."""
        until = time.monotonic() + 3
        while (
            not (used := self.platform.call("GET", "/api/usage")["tokens"]["used"])
            and time.monotonic() < until
        ):
            time.sleep(0.02)
        return int(used)


@contextlib.contextmanager
def proxied(script: Script, key: str | None = KEY, **limits: object) -> Iterator[tuple[Agent, ModelServer]]:
    query_limits = QueryLimits(tokens=limits.pop("query_tokens", None))  # type: ignore[arg-type]
    with ModelServer(script, models=("scripted", "other")) as server:
        variables = {"OPENAI_BASE_URL": server.base_url, "FIXIE_LLM_TOTAL_SECONDS": "2"}
        variables |= {"OPENAI_API_KEY": key} if key else {}
        models = ModelSettings.from_environment(variables)
        with testing.platform(models, query_limits, DailyLimits(**limits)) as platform:  # type: ignore[arg-type]
            agent = Agent(platform)
            agent.serve()
            yield agent, server
            for client in agent.clients:
                client.close()


def ask(client: openai.OpenAI, **options: Any) -> Any:
    messages: Any = [{"role": "user", "content": "Hello"}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **options)


def test_a_func_asks_openai_with_the_key_of_the_platform_and_its_person_pays() -> None:
    with proxied([Says("Hello, person.", usage=(30, 4))]) as (agent, server):

        def act(token: str) -> str:
            return str(ask(agent.client(token)).choices[0].message.content)

        agent.act = act
        answer = agent.platform.ask("writer", "Write")
        usage = agent.platform.call("GET", "/api/usage")

    assert answer.text == "Hello, person."
    (received,) = server.requests
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
    assert usage["agents"] == [
        {"agentId": "local/writer", "promptTokens": 30, "completionTokens": 4, "dollars": 0.000007}
    ]


def test_a_stream_arrives_as_it_is_written_and_is_counted_without_being_asked_to_tell() -> None:
    with proxied([Says("one two three four", seconds_per_word=0.2, usage=(30, 4))]) as (agent, server):
        start = time.monotonic()
        arrivals = []
        words = []
        for chunk in ask(agent.client(), stream=True):
            arrivals.append(time.monotonic() - start)
            words.append(chunk.choices[0].delta.content or "")
        assert agent.used() == 34

    assert "".join(words) == "one two three four"
    assert arrivals[-1] - arrivals[0] > 0.5
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


def test_who_asks_for_the_usage_of_a_stream_gets_it() -> None:
    with proxied([Says("one two", usage=(30, 4))]) as (agent, _):
        *_, last = ask(agent.client(), stream=True, stream_options={"include_usage": True})
        assert last.usage.total_tokens == 34
        assert agent.used() == 34


async def test_the_client_for_event_loops_works_too() -> None:
    with proxied([Says("one two", usage=(1, 1))]) as (agent, _):
        client = openai.AsyncOpenAI(base_url=agent.base_url, api_key=agent.tokens[-1])
        answers = await asyncio.gather(*(ask(client) for _ in range(5)))
        await client.close()
        assert [answer.choices[0].message.content for answer in answers] == ["one two"] * 5
        assert agent.used() == 10


def test_completions_embeddings_and_models() -> None:
    with proxied([Says("And so on", usage=(5, 3))]) as (agent, server):
        client = agent.client()
        completion = client.completions.create(model="davinci-002", prompt="Once upon a time")
        vectors = client.embeddings.create(model="text-embedding-3-small", input=["tea", "milk"])
        models = [model.id for model in client.models.list()]
        one = client.models.retrieve("other")
        assert agent.used() > 8

    assert completion.choices[0].text == "And so on"
    expected = embeddings.vector("milk", {})
    assert vectors.data[1].embedding == pytest.approx(expected, rel=1e-6)
    assert models == ["scripted", "other"]
    assert one.id == "other"
    assert [request.path for request in server.requests] == ["/v1/completions", "/v1/embeddings"]


def test_requests_as_the_package_sent_them_below_version_1() -> None:
    with proxied([Says("And so on", usage=(5, 3))]) as (agent, server):
        headers = {
            "Authorization": f"Bearer {agent.tokens[-1]}",
            "User-Agent": "OpenAI/v1 PythonBindings/0.28.1",
            "X-OpenAI-Client-User-Agent": '{"lang": "python"}',
        }
        engine = requests.post(
            f"{agent.base_url}/engines/davinci-002/completions",
            json={"prompt": "Once"},
            headers=headers,
            timeout=10,
        )
        stream = requests.post(
            f"{agent.base_url}/chat/completions",
            json={"model": "gpt-4o", "messages": [], "stream": True},
            headers=headers,
            timeout=10,
        )

    assert engine.json()["choices"][0]["text"] == "And so on"
    assert (server.requests[0].path, server.requests[0].body["model"]) == ("/v1/completions", "davinci-002")
    events = [line.removeprefix("data: ") for line in stream.text.splitlines() if line]
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert events[-1] == "[DONE]"
    assert all(json.loads(event)["choices"] for event in events[:-1])


def test_a_model_that_is_no_more_is_replaced_by_one_that_gets_what_it_takes() -> None:
    with proxied([Says("Hello")]) as (agent, server):
        messages: Any = [{"role": "user", "content": "Hello"}]
        agent.client().chat.completions.create(
            model="gpt-3.5-turbo", messages=messages, temperature=0, max_tokens=100, stop=["Q:"]
        )

    body = server.requests[0].body
    assert body["model"] not in ("gpt-3.5-turbo", "")
    assert "temperature" not in body
    assert "stop" not in body
    assert body["max_completion_tokens"] > 100


def test_a_completion_of_a_model_that_is_no_more_becomes_a_chat() -> None:
    with proxied([Says("there was a tree\nQ: and then", usage=(9, 4))]) as (agent, server):
        client = agent.client()
        options: Any = {"model": "text-davinci-003", "prompt": "Once upon a time", "max_tokens": 5}
        whole = client.completions.create(**options, stop=["\nQ:"], temperature=0.7)
        streamed = list(client.completions.create(**options, stream=True))
        with pytest.raises(openai.UnprocessableEntityError, match="one text"):
            client.completions.create(model="text-davinci-003", prompt=["one", "two"])
        assert agent.used() == 26

    assert [request.path for request in server.requests] == ["/v1/chat/completions"] * 2
    assert server.requests[0].body["messages"][-1] == {"role": "user", "content": "Once upon a time"}
    assert (whole.object, whole.choices[0].text) == ("text_completion", "there was a tree")
    assert "".join(chunk.choices[0].text for chunk in streamed) == "there was a tree\nQ: and then"
    assert streamed[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "chat/completions"),
        ("POST", "models"),
        ("GET", "files"),
        ("POST", "responses"),
        ("POST", "images/generations"),
        ("GET", "models/../files"),
        ("GET", "models/%2e%2e/files"),
        ("POST", "chat/completions/"),
        ("POST", "engines/x/y/completions"),
    ],
)
def test_everything_else_is_not_there(method: str, path: str) -> None:
    with proxied([Says("Hello")]) as (agent, server):
        answer = requests.request(
            method,
            f"{agent.base_url}/{path}",
            json={"model": "gpt-4o"},
            headers={"Authorization": f"Bearer {agent.tokens[-1]}"},
            timeout=10,
        )

    assert answer.status_code == 404
    assert server.requests == []


@pytest.mark.parametrize("body", [[], {}, {"model": 3}, {"model": "../files"}, {"model": "a b"}])
def test_a_body_that_names_no_model_is_refused(body: object) -> None:
    with proxied([Says("Hello")]) as (agent, server):
        answer = requests.post(
            f"{agent.base_url}/chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {agent.tokens[-1]}"},
            timeout=10,
        )

    assert answer.status_code == 422
    assert "model" in answer.json()["error"]["message"] or "object" in answer.json()["error"]["message"]
    assert server.requests == []


def test_only_a_query_token_opens_it() -> None:
    with proxied([Says("Hello")]) as (agent, _):
        for key in (agent.platform.api_key, "sk-fixie-openai-key", KEY):
            with pytest.raises(openai.PermissionDeniedError):
                ask(agent.client(key))


def test_at_a_limit_nothing_is_sent_and_the_client_does_not_try_again() -> None:
    with proxied([Says("Hello", usage=(90, 10))], tokens=100) as (agent, server):
        ask(agent.client())
        start = time.monotonic()
        with pytest.raises(openai.RateLimitError, match="100 tokens") as refusal:
            ask(agent.client().with_options(max_retries=2))
        assert time.monotonic() - start < 0.5
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


def test_the_offline_platform_calls_nobody() -> None:
    with ModelServer([Says("Hello")]) as server:
        variables = {
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_KEY": KEY,
            "FIXIE_DEFAULT_MODEL": "few-shot",
        }
        with testing.platform(ModelSettings.from_environment(variables)) as platform:
            agent = Agent(platform)
            agent.serve()
            with pytest.raises(openai.InternalServerError, match="offline"):
                ask(agent.client())
            agent.clients[0].close()
    assert server.requests == []


def test_a_platform_need_not_share_its_key(tmp_path: pathlib.Path) -> None:
    settings = Settings(
        home=tmp_path,
        port=0,
        models=ModelSettings(keys={"openai": KEY}, base_urls={"openai": "http://127.0.0.1:9/v1"}),
        shares_openai_key=False,
    )
    with serving.background(settings) as running, contextlib.ExitStack() as stack:
        agent = Agent(testing.platforms.Platform(running.url, serving.local_key(tmp_path), stack))
        agent.serve()
        with pytest.raises(openai.InternalServerError, match="does not share"):
            ask(agent.client())
        agent.clients[0].close()


def test_without_a_key_the_platform_says_what_to_do() -> None:
    with (
        proxied([Says("Hello")], key=None) as (agent, server),
        pytest.raises(openai.InternalServerError, match="OPENAI_API_KEY") as refusal,
    ):
        ask(agent.client().with_options(max_retries=2))

    assert refusal.value.status_code == 503
    assert server.requests == []


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_what_openai_refuses_is_passed_on_without_what_is_the_platforms(status: int) -> None:
    message = f"No, {KEY} of org-abcdefghijklmnop"
    with proxied([Fails(status, {"Retry-After": "7", "openai-organization": "org-x"}, message)]) as (
        agent,
        _,
    ):
        with pytest.raises(openai.APIStatusError) as refusal:
            ask(agent.client())
        assert agent.platform.call("GET", "/api/usage")["tokens"]["used"] == 0

    assert refusal.value.status_code == status
    assert "No, *** of ***" in str(refusal.value)
    assert refusal.value.response.headers["retry-after"] == "7"
    assert "openai-organization" not in refusal.value.response.headers


@pytest.mark.parametrize(
    "reply", [Fails(401, message=KEY), Fails(403), Hangs(), BreaksOff("Hello")], ids=repr
)
def test_what_goes_wrong_between_the_platform_and_openai_is_a_502(reply: Any) -> None:
    with proxied([reply]) as (agent, _), pytest.raises(openai.InternalServerError) as refusal:
        ask(agent.client())

    assert refusal.value.status_code == 502
    assert KEY not in refusal.value.response.text


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
        assert agent.used() > 6
        assert len(server.requests) == 3


def test_an_agent_that_stops_reading_pays_for_what_was_said_and_stops_the_call() -> None:
    with proxied([Says("word " * 200, seconds_per_word=0.02)]) as (agent, _):
        stream = ask(agent.client(), stream=True)
        for _, _chunk in zip(range(3), stream, strict=False):
            pass
        stream.close()
        assert 3 < agent.used() < 100


def test_garbage_is_passed_on_as_it_is() -> None:
    with proxied([Garbage(b"<html>", "text/html")]) as (agent, _):
        answer = requests.post(
            f"{agent.base_url}/chat/completions",
            json={"model": "gpt-4o"},
            headers={"Authorization": f"Bearer {agent.tokens[-1]}"},
            timeout=10,
        )

    assert (answer.status_code, answer.text) == (200, "<html>")


def test_a_picture_of_ten_megabytes_fits() -> None:
    with proxied([Says("A cat.")]) as (agent, _):
        picture = "data:image/png;base64," + "A" * 10_000_000
        content: Any = [{"type": "image_url", "image_url": {"url": picture}}]
        answer = agent.client().chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": content}]
        )

    assert answer.choices[0].message.content == "A cat."


_SERVED = """
import fixieai
import openai

client = openai.OpenAI()


def answer(query: str) -> str:
    messages = [{"role": "user", "content": query}]
    return client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content


agent = fixieai.StandaloneAgent(answer)
"""


@contextlib.contextmanager
def served(folder: pathlib.Path, platform: testing.Platform) -> Iterator[str]:
    """The agent of the folder in a process of its own, as `fixie serve` and deployments run it."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "FIXIE_"))
    }
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = subprocess.Popen(
            [sys.executable, "-m", "fixieai.cli.agent.loader", str(listening.fileno())],
            cwd=folder,
            env={**variables, "FIXIE_API_URL": platform.url, "FIXIE_ALLOWED_AGENT_ID": "local/own"},
            pass_fds=[listening.fileno()],
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(10)


def test_an_agent_without_a_key_asks_openai_as_if_it_had_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "agent.yaml").write_text("handle: own\n", "utf-8")
    (tmp_path / "main.py").write_text(_SERVED, "utf-8")

    def echo(body: dict[str, Any]) -> Says:
        return Says(f"You said {body['messages'][-1]['content']}", usage=(7, 3))

    with proxied(echo) as (agent, _), served(tmp_path, agent.platform) as url:
        agent.platform.register("own", url)
        assert agent.platform.ask("own", "tea").text == "You said tea"
        usage = agent.platform.call("GET", "/api/usage")

    assert [(row["agentId"], row["promptTokens"]) for row in usage["agents"]] == [("local/own", 7)]
