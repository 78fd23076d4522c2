"""Agents' own calls to OpenAI, with the real `openai` package, through the platform to a scripted server."""

import asyncio
import json
from typing import Any

import openai
import pytest
import requests
from openai_agents import KEY, ask, proxied

from fixieai.testing import embeddings
from fixieai.testing.model_server import Garbage, Says


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
        assert agent.used(9) > 8

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
            timeout=60,
        )
        stream = requests.post(
            f"{agent.base_url}/chat/completions",
            json={"model": "gpt-4o", "messages": [], "stream": True},
            headers=headers,
            timeout=60,
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
        assert agent.used(26) == 26

    assert [request.path for request in server.requests] == ["/v1/chat/completions"] * 2
    assert server.requests[0].body["messages"][-1] == {"role": "user", "content": "Once upon a time"}
    assert (whole.object, whole.choices[0].text) == ("text_completion", "there was a tree")
    assert "".join(chunk.choices[0].text for chunk in streamed) == "there was a tree\nQ: and then"
    assert streamed[-1].choices[0].finish_reason == "stop"


def test_garbage_is_passed_on_as_it_is() -> None:
    with proxied([Garbage(b"<html>", "text/html")]) as (agent, _):
        answer = requests.post(
            f"{agent.base_url}/chat/completions",
            json={"model": "gpt-4o"},
            headers={"Authorization": f"Bearer {agent.tokens[-1]}"},
            timeout=60,
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
