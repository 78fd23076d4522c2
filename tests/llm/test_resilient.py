"""Whatever a model server does, a call ends: with an answer, or with a reason, within its time."""

import contextlib
import json
import time
from typing import Any

import pytest

from fixieai.errors import ConfigurationError, ModelUnavailable
from fixieai.llm.base import LanguageModel
from fixieai.llm.failures import AnswerBrokeOff
from fixieai.llm.resilient import ResilientModel
from fixieai.llm.settings import CallLimits
from fixieai.protocol.prompts import ChatMessage, ChatPrompt, Completion, LlmSettings, Prompt, TextPrompt
from fixieai.testing.model_server import BreaksOff, Calls, Fails, Garbage, Hangs, NoChoices, Reply, Says

pytestmark = pytest.mark.anyio

RENDERINGS: dict[str, Prompt] = {
    "tools": ChatPrompt((ChatMessage("user", "Roll a d20"),), ()),
    "text": TextPrompt("I roll dice.\n\n", "Q: Roll a d20\n", ("\nQ:",)),
}


IMPATIENT = {"FIXIE_LLM_FIRST_TOKEN_SECONDS": "1.25", "FIXIE_LLM_BETWEEN_TOKENS_SECONDS": "1.25"}


def short(value: object) -> str:
    return str(value)[:40]


def patience(reply: Reply) -> dict[str, str]:
    return IMPATIENT if isinstance(reply, Hangs) else {}


@pytest.fixture(params=RENDERINGS)
def rendering(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def hear(model: LanguageModel, rendering: str) -> tuple[list[Any], Exception | None]:
    """What came, and the error that ended it."""
    pieces: list[Any] = []
    stream = model.stream(RENDERINGS[rendering], LlmSettings(), "q7:3")
    async with contextlib.aclosing(stream):
        try:
            while True:
                pieces.append(await anext(stream))
        except StopAsyncIteration:
            return pieces, None
        except (ModelUnavailable, ConfigurationError) as error:
            return pieces, error


@pytest.mark.parametrize(
    "reply",
    [
        Fails(429, {"Retry-After": "0.01"}),
        Fails(429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Fails(408),
        Fails(409),
        Fails(500),
        Fails(503),
        Garbage(b"<html>oops</html>"),
        Garbage(b""),
        Garbage(b"\xff\xfe\x00"),
        Garbage(b"[]", "application/json"),
        Garbage(b'{"choices": 7}', "application/json"),
        Garbage(b'{"choices": [7]}', "application/json"),
        Garbage(b'{"choices": [{"message": {"content": 7}}]}', "application/json"),
        Garbage(b'{"error": {"message": "overloaded"}}', "application/json"),
        Garbage(b"data: {not json\n\n", "text/event-stream"),
        Garbage(b"data: " + b"[" * 100_000 + b"\n\n", "text/event-stream"),
        Garbage(b"{" + b" " * (17 * 1024 * 1024), "application/json"),
        BreaksOff(""),
        BreaksOff("", is_clean=True),
        NoChoices(),
        Hangs(),
    ],
    ids=short,
)
@pytest.mark.parametrize(("rendering", "streams"), [("tools", "1"), ("text", "1"), ("tools", "0")])
async def test_what_fails_before_any_text_is_tried_again(
    serve, model_at, rendering: str, reply: Reply, streams: str
) -> None:
    server = serve([reply, Says("A: 12")])
    environment = {"FIXIE_LLM_RENDERING": rendering, "FIXIE_LLM_STREAM": streams, **patience(reply)}
    model = await model_at(server, **environment)
    pieces, error = await hear(model, rendering)
    assert error is None
    assert pieces[-1].text == "A: 12"
    assert len(server.requests) == 2
    assert {request.headers["idempotency-key"] for request in server.requests} == {"q7:3"}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Fails(429), "answered 429: scripted failure"),
        (Fails(500, message="x" * 5000), "answered 500: xxx"),
        (Garbage(b"<html>oops</html>"), "sent something that is no answer"),
        (BreaksOff(""), "broke the connection"),
        (BreaksOff("", is_clean=True), "sent something that is no answer"),
        (NoChoices(), "an answer with nothing in it"),
        (Hangs(), "sent nothing for 1.25 s"),
    ],
    ids=short,
)
async def test_what_always_fails_ends_with_the_reason(
    serve, model_at, rendering: str, reply: Reply, reason: str
) -> None:
    server = serve([reply])
    started = time.monotonic()
    model = await model_at(server, FIXIE_LLM_RENDERING=rendering, **patience(reply))
    pieces, error = await hear(model, rendering)
    assert time.monotonic() - started < 60
    assert pieces == []
    assert isinstance(error, ModelUnavailable)
    assert reason in error.message
    assert "custom/scripted" in error.message
    assert len(error.message) < 400
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "reply", [BreaksOff("A: You rolled"), BreaksOff("A: You rolled", is_clean=True), Hangs("A: You rolled")]
)
async def test_half_an_answer_is_never_given_as_a_whole_one(
    serve, model_at, rendering: str, reply: Reply
) -> None:
    server = serve([reply, Says("A: 12")])
    model = await model_at(server, FIXIE_LLM_RENDERING=rendering, **patience(reply))
    pieces, error = await hear(model, rendering)
    assert "".join(pieces) == "A: You rolled"
    assert isinstance(error, AnswerBrokeOff)
    assert "not all of it" in error.message
    assert len(server.requests) == 1


async def test_half_a_tool_call_is_tried_again(serve, model_at) -> None:
    call = {"function": {"name": "roll", "arguments": "{"}}
    half = b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"
    server = serve([Garbage(half, "text/event-stream"), Calls([("roll", "{}")])])
    [completion], error = await hear(await model_at(server), "tools")
    assert error is None
    assert completion.tool_call.arguments == "{}"


async def test_one_word_at_a_time_is_fine_until_the_time_is_over(serve, model_at, rendering: str) -> None:
    server = serve([Says("word " * 200, seconds_per_word=0.4)])
    environment = {"FIXIE_LLM_RENDERING": rendering, "FIXIE_LLM_TOTAL_SECONDS": "2.25"}
    started = time.monotonic()
    pieces, error = await hear(await model_at(server, **environment), rendering)
    assert time.monotonic() - started < 60
    assert 1 <= len(pieces) <= 8
    assert type(error) is ModelUnavailable  # no AnswerBrokeOff: there is no time left to ask again
    assert "2.25 s" in error.message


async def test_one_word_a_minute_is_given_up(serve, model_at, rendering: str) -> None:
    server = serve([Says("A: 12", seconds_per_word=60)])
    model = await model_at(server, FIXIE_LLM_RENDERING=rendering, **IMPATIENT)
    pieces, error = await hear(model, rendering)
    assert pieces == ["A: "]
    assert isinstance(error, AnswerBrokeOff)


async def test_a_server_that_is_not_there_is_named(open_models) -> None:
    model = await open_models(FIXIE_LLM_BASE_URL="http://127.0.0.1:9/v1").choose("custom/scripted")
    _, error = await hear(model, "tools")
    assert isinstance(error, ModelUnavailable)
    assert "custom/scripted could not be reached" in error.message


async def test_retry_after_is_waited_for_but_not_for_ever(serve, model_at) -> None:
    server = serve([Fails(429, {"Retry-After": "0.2"}), Fails(503, {"Retry-After": "3600"}), Says("A: 12")])
    started = time.monotonic()
    pieces, error = await hear(await model_at(server, FIXIE_LLM_LONGEST_WAIT_SECONDS="0.3"), "tools")
    assert 0.5 <= time.monotonic() - started < 60
    assert error is None
    assert pieces[-1].text == "A: 12"


async def test_no_try_is_begun_that_could_not_end_in_time(serve, model_at) -> None:
    server = serve([Fails(429, {"Retry-After": "60"})])
    limits = {"FIXIE_LLM_LONGEST_WAIT_SECONDS": "60", "FIXIE_LLM_TOTAL_SECONDS": "30"}
    started = time.monotonic()
    _, error = await hear(await model_at(server, **limits), "tools")
    assert isinstance(error, ModelUnavailable)
    assert error.retry_after == 60
    assert time.monotonic() - started < 20
    assert len(server.requests) == 1


async def test_retries_can_be_turned_off(serve, model_at) -> None:
    server = serve([Fails(500)])
    _, error = await hear(await model_at(server, FIXIE_LLM_RETRIES="0"), "tools")
    assert error is not None
    assert len(server.requests) == 1


def only(model: str, reply: Reply, other: Reply) -> Any:
    return lambda body: reply if body["model"] == model else other


@pytest.mark.parametrize(
    "reply", [Fails(500), Fails(401), Fails(404), Fails(400), Hangs(), NoChoices()], ids=short
)
async def test_the_next_model_answers_when_the_first_does_not(
    serve, model_at, rendering: str, reply: Reply
) -> None:
    server = serve(only("first", reply, Says("A: 12")))
    fallbacks = {"FIXIE_FALLBACK_MODELS": "custom/second, custom/third", "FIXIE_LLM_RENDERING": rendering}
    model = await model_at(server, "custom/first", **fallbacks, **patience(reply))
    pieces, error = await hear(model, rendering)
    assert error is None
    assert pieces[-1] == Completion("A: 12", None, "custom/second", False, *tokens_of(pieces[-1]))
    keys = {request.body["model"]: request.headers["idempotency-key"] for request in server.requests}
    assert keys == {"first": "q7:3", "second": "q7:3:1"}


def tokens_of(completion: Completion) -> tuple[int | None, int | None]:
    return completion.prompt_tokens, completion.completion_tokens


async def test_no_other_model_goes_on_with_half_an_answer(serve, model_at) -> None:
    server = serve(only("first", BreaksOff("A: You"), Says("A: 12")))
    model = await model_at(server, "custom/first", FIXIE_FALLBACK_MODELS="custom/second")
    _, error = await hear(model, "tools")
    assert isinstance(error, AnswerBrokeOff)
    assert len(server.requests) == 1


async def test_when_all_fail_each_is_heard(serve, model_at) -> None:
    server = serve(only("first", Fails(503), Fails(401)))
    model = await model_at(server, "custom/first", FIXIE_FALLBACK_MODELS="custom/second")
    _, error = await hear(model, "tools")
    assert isinstance(error, ModelUnavailable)
    assert "custom/first answered 503" in error.message
    assert "custom/second could not be asked" in error.message


async def test_a_fallback_that_reads_another_rendering_is_left_out(
    serve, model_at, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve([Fails(500)])
    names = "few-shot,ollama/llama3,gooseai/gpt-neo-20b,openai/gpt-4o,nonsense,gemini/gemini-3"
    model = await model_at(server, "custom/first", FIXIE_FALLBACK_MODELS=names, FIXIE_LLM_RETRIES="0")
    await hear(model, "tools")
    assert [request.body["model"] for request in server.requests] == ["first", "gpt-4o"]
    for left_out in ("few-shot", "ollama/llama3", "gooseai/gpt-neo-20b", "nonsense", "gemini/gemini-3"):
        assert left_out in caplog.text


async def test_models_of_different_renderings_make_no_list(model_at, serve) -> None:
    server = serve([Says("fine")])
    models = (await model_at(server, "custom/a"), await model_at(server, "ollama/b"))
    with pytest.raises(ValueError, match="same rendering"):
        ResilientModel(models, CallLimits())
