"""One call to a server that speaks OpenAI's API: what is sent, and what is made of the answer."""

import asyncio
import contextlib
import json
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from fixieai.errors import ConfigurationError, ModelUnavailable
from fixieai.llm.base import LanguageModel
from fixieai.protocol.prompts import (
    ChatMessage,
    ChatPrompt,
    Completion,
    LlmSettings,
    Prompt,
    Rendering,
    TextPrompt,
    Tool,
    ToolCall,
)
from fixieai.testing.model_server import Calls, Fails, Garbage, Says

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"input": {"type": "string"}}}
CHAT = ChatPrompt(
    (
        ChatMessage("system", "I roll dice."),
        ChatMessage("user", "Roll a d20"),
        ChatMessage("assistant", "Let me see", ToolCall("c1", "roll", '{"input": "20 1"}')),
        ChatMessage("tool", "12", tool_call_id="c1"),
        ChatMessage("user", "Roll 2d6 🎲"),
    ),
    (Tool("roll", "Rolls dice", SCHEMA),),
)
TEXT = TextPrompt("I roll dice.\n\n", "Q: Roll a d20\n", ("\nQ:", "\nFunc["))


async def listen(model: LanguageModel, prompt: Prompt, settings: LlmSettings | None = None) -> list[Any]:
    async with contextlib.aclosing(model.stream(prompt, settings or LlmSettings(), "q7:3")) as stream:
        return [piece async for piece in stream]


async def complete(model: LanguageModel, prompt: Prompt, settings: LlmSettings | None = None) -> Completion:
    *pieces, completion = await listen(model, prompt, settings)
    assert "".join(pieces) == completion.text
    return completion


@pytest.mark.parametrize("streams", ["1", "0"])
async def test_a_chat_prompt_becomes_turns_and_tools(serve, model_at, streams: str) -> None:
    server = serve([Says("You rolled 7.")])
    model = await model_at(server, FIXIE_LLM_STREAM=streams)
    settings = LlmSettings(temperature=0.5, maximum_tokens=100)
    completion = await complete(model, CHAT, settings)
    assert model.rendering is Rendering.TOOLS
    assert completion.text == "You rolled 7."
    assert completion.model == "custom/scripted"
    assert completion.tool_call is None
    assert completion.completion_tokens == 3
    assert completion.prompt_tokens
    body = server.requests[0].body
    assert body["messages"] == [
        {"role": "system", "content": "I roll dice."},
        {"role": "user", "content": "Roll a d20"},
        {
            "role": "assistant",
            "content": "Let me see",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "roll", "arguments": '{"input": "20 1"}'},
                }
            ],
        },
        {"role": "tool", "content": "12", "tool_call_id": "c1"},
        {"role": "user", "content": "Roll 2d6 🎲"},
    ]
    function = {"name": "roll", "description": "Rolls dice", "parameters": SCHEMA}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("scripted", 0.5, 100)
    assert "stop" not in body


@pytest.mark.parametrize("streams", ["1", "0"])
async def test_the_first_of_several_tool_calls_counts(serve, model_at, streams: str) -> None:
    reply = Calls([("roll", '{"input": "20 1"}'), ("roll", '{"input": "6 1"}')], text="Rolling.")
    model = await model_at(serve([reply]), FIXIE_LLM_STREAM=streams)
    completion = await complete(model, CHAT)
    assert completion.tool_call == ToolCall("call_0", "roll", '{"input": "20 1"}')
    assert completion.text == "Rolling."


async def test_text_for_a_chat_model_is_a_system_and_a_user_turn(serve, model_at) -> None:
    server = serve([Says("A: You rolled 12!\nQ: next")])
    completion = await complete(await model_at(server, FIXIE_LLM_RENDERING="text"), TEXT)
    assert completion.text == "A: You rolled 12!"
    body = server.requests[0].body
    assert server.requests[0].path == "/v1/chat/completions"
    assert body["messages"] == [
        {"role": "system", "content": "I roll dice.\n\n"},
        {"role": "user", "content": "Q: Roll a d20\n"},
    ]
    assert body["stop"] == ["\nQ:", "\nFunc["]
    assert "tools" not in body


@pytest.mark.parametrize("streams", ["1", "0"])
async def test_text_for_a_completion_model_is_one_prompt(serve, model_at, streams: str) -> None:
    server = serve([Says("Ask Func[roll]: 20 1")])
    model = await model_at(server, "gooseai/gpt-neo-20b", FIXIE_LLM_STREAM=streams)
    assert (await complete(model, TEXT)).text == "Ask Func[roll]: 20 1"
    assert model.rendering is Rendering.TEXT
    assert server.requests[0].path == "/v1/engines/gpt-neo-20b/completions"
    assert server.requests[0].body["prompt"] == "I roll dice.\n\nQ: Roll a d20\n"


async def test_a_model_that_writes_past_the_stop_is_passed_on(serve, model_at) -> None:
    text = "A: 12\nQ: And now?\nA: no"
    model = await model_at(serve([Says(text, ignores_stop=True)]), FIXIE_LLM_RENDERING="text")
    assert (await complete(model, TEXT)).text == text


async def test_a_cut_off_answer_says_so(serve, model_at) -> None:
    model = await model_at(serve([Says("You rolled", finish_reason="length")]))
    assert (await complete(model, CHAT)).is_cut_off


async def test_reasoning_models_get_what_they_take(serve, model_at) -> None:
    server = serve([Says("fine")])
    settings = LlmSettings(temperature=0.0, maximum_tokens=100)
    await complete(await model_at(server, "openai/gpt-6-luna"), CHAT, settings)
    await complete(await model_at(server, "openai/o3", FIXIE_LLM_RENDERING="text"), TEXT, settings)
    for request in server.requests:
        assert not {"stop", "temperature", "max_tokens"} & request.body.keys()
        assert request.body["max_completion_tokens"] > 100  # what it thinks is counted, too
    assert server.requests[0].body["reasoning_effort"] == "none"
    assert "reasoning_effort" not in server.requests[1].body


async def test_a_field_that_is_refused_is_left_out_from_then_on(serve, model_at) -> None:
    def script(body: dict[str, Any]) -> Fails | Says:
        for field in ("temperature", "stop", "max_tokens"):
            if field in body:
                return Fails(400, message=f"Unsupported parameter: '{field}'", error={"param": field})
        return Says("fine")

    server = serve(script)
    model = await model_at(server, FIXIE_LLM_RENDERING="text")
    settings = LlmSettings(temperature=0.0, maximum_tokens=100)
    assert (await complete(model, TEXT, settings)).text == "fine"
    assert len(server.requests) == 4
    await complete(model, TEXT, settings)
    assert len(server.requests) == 5
    assert server.requests[-1].body["max_completion_tokens"] == 100


async def test_a_field_that_cannot_be_left_out_is_an_error(serve, model_at) -> None:
    server = serve([Fails(400, message="Invalid 'messages'", error={"param": "messages"})])
    with pytest.raises(ModelUnavailable, match="answered 400: Invalid 'messages'"):
        await complete(await model_at(server), CHAT)
    assert len(server.requests) == 1


async def test_the_key_and_the_idempotency_key_are_sent_and_nothing_else_of_ours(
    serve, model_at, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-secret")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Custom: custom-secret")
    server = serve([Says("fine")])
    await complete(await model_at(server, "openai/gpt-4o"), CHAT)
    await complete(await model_at(server, "ollama/llama3"), TEXT)
    with_key, without_key = (request.headers for request in server.requests)
    assert with_key["authorization"] == "Bearer sk-secret-0123456789"
    assert "authorization" not in without_key
    for headers in (with_key, without_key):
        assert headers["idempotency-key"] == "q7:3"
        assert "secret" not in str(headers).replace("sk-secret", "")
        assert not [name for name in headers if name.startswith(("x-stainless-os", "x-stainless-runtime"))]


async def test_connections_are_kept(serve, model_at) -> None:
    server = serve([Says("fine")])
    model = await model_at(server)
    for _ in range(4):
        await complete(model, CHAT)
    assert len({request.connection for request in server.requests}) == 1


async def test_a_reader_that_stops_early_ends_the_request(serve, model_at) -> None:
    model = await model_at(serve([Says("A: one two three four", seconds_per_word=0.05)]))
    async with contextlib.aclosing(model.stream(CHAT, LlmSettings(), "q:1")) as stream:
        assert await anext(stream) == "A: "
    assert (await complete(model, CHAT)).text == "A: one two three four"


async def test_an_answer_that_is_whole_stays_so_when_its_connection_breaks_behind_it(open_models) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        chosen = b'data: {"choices": [{"delta": {"content": "12"}, "finish_reason": "stop"}]}\n\n'
        events = chosen + b"data: [DONE]\n\n"
        writer.write(head + b"%x\r\n%s\r\n" % (len(events), events))  # and no last chunk
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        models = open_models(FIXIE_LLM_BASE_URL=f"http://127.0.0.1:{port}/v1", FIXIE_LLM_RETRIES="0")
        assert (await complete(await models.choose("custom/any"), CHAT)).text == "12"


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_configuration_that_cannot_work_says_what_to_check(serve, model_at, status: int) -> None:
    server = serve([Fails(status, message="no, sk-secret-0123456789")])
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
        await complete(await model_at(server, "openai/gpt-4o"), CHAT)
    assert "openai/gpt-4o" in caught.value.message
    assert "sk-secret" not in caught.value.message
    assert len(server.requests) == 1


async def test_an_account_without_credit_is_not_asked_again(serve, model_at) -> None:
    server = serve([Fails(429, message="You exceeded your quota", error={"code": "insufficient_quota"})])
    with pytest.raises(ModelUnavailable, match="no credit left"):
        await complete(await model_at(server), CHAT)
    assert len(server.requests) == 1


async def test_a_redirect_is_not_followed(serve, model_at) -> None:
    elsewhere = serve([Says("stolen")])
    server = serve([Fails(307, {"Location": f"{elsewhere.base_url}/chat/completions"})])
    with pytest.raises(ModelUnavailable, match="307"):
        await complete(await model_at(server), CHAT)
    assert elsewhere.requests == []


async def test_keys_are_in_no_log_and_no_error(serve, model_at, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve([Fails(400, message="your key sk-secret-0123456789\x1b[31m is\nodd")])
    with pytest.raises(ModelUnavailable) as caught:
        await complete(await model_at(server, "openai/gpt-4o"), CHAT)
    assert "your key *** [31m is odd" in caught.value.message
    assert "sk-secret" not in caplog.text
    assert "Roll a d20" not in caplog.text


@pytest.mark.parametrize("padding", [0, 190])
async def test_an_error_in_a_stream_holds_no_key_and_no_part_of_one(serve, model_at, padding: int) -> None:
    said = json.dumps({"error": {"message": "x" * padding + "your key sk-secret-0123456789 is odd"}})
    server = serve([Garbage(f"data: {said}\n\n".encode(), "text/event-stream")])
    with pytest.raises(ModelUnavailable, match="reported an error") as caught:
        await complete(await model_at(server, "openai/gpt-4o"), CHAT)
    assert "sk-" not in caught.value.message


async def test_what_is_not_http_is_a_failure_of_the_server(model_at) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ModelUnavailable, match="does not answer in HTTP"):
            await complete(await model_at(SimpleNamespace(base_url=f"http://127.0.0.1:{port}/v1")), CHAT)


@pytest.mark.parametrize(
    "content",
    [
        b'{"choices": [{"message": {"content": "A: 12"}}]}',  # an answer without a finish reason
        b'data: {"choices": [{"text": "A: "}]}\r\n\r\ndata:{"choices": [{"text": "12"}]}\r\n\r\ndata: [DONE]',
        b': hello\n\ndata: {"choices": [{"delta": {"content": "A: 12"}, "finish_reason": "stop"}]}\n\n',
        b'{"choices": [{"message": {"refusal": "A: 12"}, "finish_reason": "stop"}]}',
    ],
)
async def test_answers_of_other_servers_are_understood(serve, model_at, content: bytes) -> None:
    model = await model_at(serve([Garbage(content, "text/plain")]))
    assert (await complete(model, CHAT)).text == "A: 12"


async def test_surrogates_do_not_break_a_request(serve, model_at) -> None:
    server = serve([Says("fine")])
    await complete(await model_at(server), ChatPrompt((ChatMessage("user", "a\ud800b\u2028é"),), ()))
    assert server.requests[0].body["messages"][0]["content"] == "a?b\u2028é"


async def test_other_text_separators_in_an_answer_are_kept(serve, model_at) -> None:
    text = "A: one\u2028two\x85three"
    events = json.dumps(
        {"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}, ensure_ascii=False
    )
    model = await model_at(serve([Garbage(f"data: {events}\n\n".encode(), "text/event-stream")]))
    assert (await complete(model, CHAT)).text == text


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    import subprocess

    program = "import sys, fixieai.llm.models; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
