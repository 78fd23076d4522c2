"""OpenAI's Responses API, with the real `openai` package, through the platform to a scripted server."""

import asyncio
import json
from typing import Any

import openai
import pydantic
import pytest
from openai_agents import KEY, ask, proxied, proxied_to
from starlette.applications import Starlette

from fixieai.testing.model_server import BreaksOff, Calls, Fails, Garbage, Hangs, Says
from fixieai.web import server as web_server

MODEL = "gpt-4o-mini"
REASONING_MODEL = "gpt-6-luna"
TOOL: Any = {
    "type": "function",
    "name": "roll",
    # What describes a tool stands in every event: it is not taken for what the call used, or for an error.
    "parameters": {
        "type": "object",
        "properties": {
            "usage": {"type": "object", "input_tokens": 0, "output_tokens": 0},
            "error": {"type": "error"},
        },
    },
    "strict": False,
}


def test_a_func_asks_for_a_response_and_its_person_pays() -> None:
    with proxied([Says("Hello, person.", usage=(30, 4))]) as (agent, server):

        def act(token: str) -> str:
            client = agent.client(token)
            return client.responses.create(model=MODEL, input="Hello", tools=[TOOL]).output_text

        agent.act = act
        answer = agent.platform.ask("writer", "Write")
        usage = agent.platform.call("GET", "/api/usage")

    assert answer.text == "Hello, person."
    (received,) = server.requests
    assert received.path == "/v1/responses"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == {"model": MODEL, "input": "Hello", "tools": [TOOL], "store": False}
    assert usage["agents"] == [
        {"agentId": "local/writer", "promptTokens": 30, "completionTokens": 4, "dollars": 0.000007}
    ]


def test_a_stream_comes_event_by_event_and_its_end_tells_what_it_cost() -> None:
    with proxied([Says("one two three", usage=(30, 4))]) as (agent, _):
        events = list(agent.client().responses.create(model=MODEL, input="Hi", tools=[TOOL], stream=True))
        assert agent.used() == 34

    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 3,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(11))
    assert events[-1].response.usage.total_tokens == 34


def test_events_arrive_before_the_last_is_written() -> None:
    with proxied([Hangs("one two")]) as (agent, _):
        stream = agent.client().responses.create(model=MODEL, input="Hello", stream=True)
        words = []
        while len(words) < 2:
            event = next(stream)
            words += [event.delta] if event.type == "response.output_text.delta" else []
        stream.close()
        assert agent.used() > 2  # what it was asked, and the two

    assert words == ["one ", "two"]


def test_a_call_given_up_before_the_first_word_is_paid_for_what_it_was_asked() -> None:
    with proxied([Hangs()]) as (agent, _):
        stream = agent.client().responses.create(model=MODEL, input="tea " * 200, tools=[TOOL], stream=True)
        assert next(stream).type == "response.created"
        stream.close()
        assert agent.used() > 200


def test_streams_of_the_package_and_what_it_parses() -> None:
    class Tea(pydantic.BaseModel):
        name: str

    with proxied([Says('{"name": "Assam"}', usage=(3, 2))]) as (agent, server):
        client = agent.client()
        parsed = client.responses.parse(model=MODEL, input="Tea?", text_format=Tea).output_parsed
        with client.responses.stream(model=MODEL, input="Tea?", text_format=Tea) as stream:
            final = stream.get_final_response()
        assert agent.used(10) == 10

    assert parsed == final.output_parsed == Tea(name="Assam")
    assert server.requests[0].body["text"]["format"]["type"] == "json_schema"


async def test_the_client_for_event_loops_works_with_responses_too() -> None:
    with proxied([Says("one two", usage=(1, 1))]) as (agent, _):
        async with openai.AsyncOpenAI(base_url=agent.base_url, api_key=agent.tokens[-1]) as client:
            calls = (client.responses.create(model=MODEL, input="Hello") for _ in range(5))
            answers = await asyncio.gather(*calls)
        assert [answer.output_text for answer in answers] == ["one two"] * 5
        assert await asyncio.to_thread(agent.used) == 10


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_conversation_with_tools_is_sent_whole_each_time(*, is_streamed: bool) -> None:
    def reply(body: dict[str, Any]) -> Any:
        outputs = [item for item in body["input"] if item.get("type") == "function_call_output"]
        return Says(f"You rolled {outputs[0]['output']}.") if outputs else Calls([("roll", '{"sides": 20}')])

    with proxied(reply) as (agent, server):
        client = agent.client()
        conversation: Any = [{"role": "user", "content": "Roll a d20"}]
        options: Any = {"model": MODEL, "tools": [TOOL]}
        if is_streamed:
            *_, last = client.responses.create(input=conversation, stream=True, **options)
            first = last.response
        else:
            first = client.responses.create(input=conversation, **options)
        conversation += first.output
        (call,) = first.output
        conversation.append({"type": "function_call_output", "call_id": call.call_id, "output": "12"})
        second = client.responses.create(input=conversation, **options)

    assert (call.name, json.loads(call.arguments)) == ("roll", {"sides": 20})
    assert second.output_text == "You rolled 12."
    assert len(server.requests[1].body["input"]) == 3


def test_what_a_model_thought_can_be_sent_back_for_no_server_keeps_it() -> None:
    with proxied([Says("Hello")]) as (agent, server):
        client = agent.client()
        client.responses.create(model=REASONING_MODEL, input="Hello")
        client.responses.create(
            model=REASONING_MODEL, input="Hello", include=["message.output_text.logprobs"]
        )
        client.responses.create(model=REASONING_MODEL, input="Hello", include=["reasoning.encrypted_content"])
        client.responses.create(model=MODEL, input="Hello")

    assert [request.body.get("include") for request in server.requests] == [
        ["reasoning.encrypted_content"],
        ["message.output_text.logprobs", "reasoning.encrypted_content"],
        ["reasoning.encrypted_content"],
        None,
    ]


def test_a_server_that_does_not_tell_what_a_model_thought_is_asked_without() -> None:
    def reply(body: dict[str, Any]) -> Any:
        if "include" in body:
            return Fails(400, message="Unknown value: reasoning.encrypted_content")
        return Says("Hello", usage=(3, 1))

    with proxied(reply) as (agent, server):
        answer = agent.client().responses.create(model=REASONING_MODEL, input="Hello")
        assert agent.used() == 4

    assert answer.output_text == "Hello"
    assert [request.body.get("include") for request in server.requests] == [
        ["reasoning.encrypted_content"],
        None,
    ]


def test_a_model_that_is_no_more_is_replaced_in_responses_too() -> None:
    with proxied([Says("Hello")]) as (agent, server):
        agent.client().responses.create(
            model="gpt-3.5-turbo", input="Hello", temperature=0, max_output_tokens=100
        )

    body = server.requests[0].body
    assert body["model"] not in ("gpt-3.5-turbo", "")
    assert "temperature" not in body
    assert body["max_output_tokens"] > 100


def test_limits_hold_for_responses() -> None:
    with proxied([Says("Hello", usage=(90, 10))], tokens=150, query_tokens=100) as (agent, server):

        def act(token: str) -> str:
            agent.client(token).responses.create(model=MODEL, input="Hello")
            with pytest.raises(openai.RateLimitError, match="100 is the limit for one query"):
                agent.client(token).responses.create(model=MODEL, input="Hello")
            return "asked once"

        agent.act = act
        assert [agent.platform.ask("writer", "Write").text for _ in range(2)] == ["asked once"] * 2
        with pytest.raises(openai.RateLimitError, match="150 tokens") as refusal:
            agent.client().responses.create(model=MODEL, input="Hello", stream=True)

    assert refusal.value.code == "daily_limit_reached"
    assert len(server.requests) == 2


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("status", [400, 429, 500])
def test_what_openai_refuses_is_passed_on_in_its_words(status: int, *, is_streamed: bool) -> None:
    message = f"No, {KEY} of org-abcdefghijklmnop"
    error = {"code": "its_code", "param": "input"}
    with proxied([Fails(status, {"Retry-After": "7"}, message, error)]) as (agent, _):
        with pytest.raises(openai.APIStatusError) as refusal:
            agent.client().responses.create(model=MODEL, input="Hello", stream=is_streamed)
        assert agent.platform.call("GET", "/api/usage")["tokens"]["used"] == 0

    assert refusal.value.status_code == status
    assert (refusal.value.code, refusal.value.param) == ("its_code", "input")
    assert "No, *** of ***" in str(refusal.value)
    assert refusal.value.response.headers["retry-after"] == "7"


def test_a_key_that_openai_does_not_take_is_no_business_of_agents() -> None:
    with (
        proxied([Fails(401, message=KEY)]) as (agent, _),
        pytest.raises(openai.InternalServerError) as refusal,
    ):
        agent.client().responses.create(model=MODEL, input="Hello")

    assert refusal.value.status_code == 502
    assert KEY not in refusal.value.response.text


@pytest.mark.parametrize(
    "last",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": f"{KEY} of org-abcdefghijklmnop"},
        {
            "type": "response.failed",
            "response": {
                "status": "failed",
                "error": {"code": "server_error", "message": f"{KEY} of org-abcdefghijklmnop"},
                "usage": None,
            },
        },
    ],
    ids=["error", "failed"],
)
def test_a_stream_that_fails_names_no_account_and_costs_nothing(last: dict[str, Any]) -> None:
    first = {"type": "response.created", "response": {"status": "in_progress", "usage": None, "error": None}}
    stream = b"".join(
        f"event: {event['type']}\ndata: {json.dumps({'sequence_number': number, **event})}\n\n".encode()
        for number, event in enumerate((first, last))
    )
    with proxied([Garbage(stream, "text/event-stream"), Says("Hello", usage=(5, 2))]) as (agent, _):
        client = agent.client()
        *_, event = client.responses.create(model=MODEL, input="Hello", stream=True)
        client.responses.create(model=MODEL, input="Hello")
        assert agent.used() == 7

    assert event.type == last["type"]
    assert "*** of ***" in event.to_json()
    assert KEY not in event.to_json()


def test_a_response_cut_short_is_paid_as_it_says() -> None:
    with proxied([Says("one two", finish_reason="length", usage=(30, 4))]) as (agent, _):
        *_, last = agent.client().responses.create(model=MODEL, input="Hello", stream=True)
        assert agent.used() == 34

    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"


def test_a_stream_of_a_response_that_breaks_off_is_paid_as_far_as_it_came() -> None:
    with proxied([BreaksOff("one two three")]) as (agent, _):
        with pytest.raises(openai.APIConnectionError):
            list(agent.client().responses.create(model=MODEL, input="Hello", stream=True))
        assert agent.used() > 3


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_server_without_this_api_is_named_as_the_cause(*, is_streamed: bool) -> None:
    nothing = web_server.BackgroundServer(Starlette(), web_server.bind("127.0.0.1", 0))
    with nothing, proxied_to(f"{nothing.url}/v1") as agent:
        with pytest.raises(
            openai.NotFoundError, match=r"no Responses API.*404 \(Not Found\).*chat\.completions"
        ):
            agent.client().responses.create(model=MODEL, input="Hello", stream=is_streamed)
        with pytest.raises(openai.NotFoundError):
            ask(agent.client())
        assert agent.platform.call("GET", "/api/usage")["tokens"]["used"] == 0


def test_a_model_that_is_not_there_is_openais_to_say() -> None:
    message = "The model `gpt-9` does not exist or you do not have access to it."
    script = [Fails(404, message=message, error={"code": "model_not_found"})]
    with proxied(script) as (agent, _), pytest.raises(openai.NotFoundError, match="not exist") as refusal:
        agent.client().responses.create(model="gpt-9", input="Hello")

    assert refusal.value.code == "model_not_found"
    assert "Responses API" not in str(refusal.value)
