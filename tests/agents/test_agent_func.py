# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
"""What comes of a func: responses or an error, in a thread or in the loop."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fixieai.agents.agent_func import AgentFunc, AgentQueryFunc
from fixieai.agents.exceptions import AgentException
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentQuery, AgentResponse, Message

_QUERY = AgentQuery(Message("hello", {"a": Embed("text/plain", "data:,x")}), "token")
_CLAIMS = VerifiedTokenClaims("owner/agent", False, "token")
_variable = contextvars.ContextVar("_variable", default="outside")


def _create(func: Any) -> AgentQueryFunc:
    return AgentQueryFunc.create(func, None, Message, True)


async def _texts(func: AgentFunc) -> list[str]:
    return [response.message.text async for response in func.responses(_QUERY, _CLAIMS)]


def _returns_text(query):
    return "a"


def _returns_message(query):
    return Message("a")


def _returns_response(query):
    return AgentResponse(Message("a"))


def _returns_list(query):
    return ["a", Message("b")]


def _yields(query):
    yield "a"
    yield Message("b")
    yield AgentResponse(Message("c"))


async def _returns_text_later(query):
    await asyncio.sleep(0)
    return "a"


async def _yields_later(query):
    yield "a"
    await asyncio.sleep(0)
    yield "b"


def _returns_a_coroutine(query):
    return _returns_text_later(query)


_SYNC = [
    (_returns_text, ["a"]),
    (_returns_message, ["a"]),
    (_returns_response, ["a"]),
    (_returns_list, ["a", "b"]),
    (_yields, ["a", "b", "c"]),
]


@pytest.mark.parametrize(("func", "expected"), _SYNC)
def test_a_sync_function_answers_when_called(func: Callable[..., Any], expected: list[str]) -> None:
    assert [response.message.text for response in _create(func)(_QUERY, _CLAIMS)] == expected


@pytest.mark.parametrize(
    ("func", "expected"),
    [*_SYNC, (_returns_text_later, ["a"]), (_yields_later, ["a", "b"]), (_returns_a_coroutine, ["a"])],
)
async def test_every_kind_of_function_gives_responses(func: Callable[..., Any], expected: list[str]) -> None:
    assert await _texts(_create(func)) == expected


@pytest.mark.parametrize("func", [_returns_text_later, _yields_later])
def test_an_async_function_cannot_be_called_without_a_loop(func: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"use responses\(\)"):
        _create(func)(_QUERY, _CLAIMS)


@pytest.mark.parametrize("result", [5, b"bytes", {"text": "x"}, [None], ["a", 5], [b"x"]])
async def test_a_wrong_result_is_an_error_and_no_answer(result: object) -> None:
    def func(query):
        return result

    with pytest.raises(AgentException, match="func returned") as sync:
        list(_create(func)(_QUERY, _CLAIMS))
    with pytest.raises(AgentException, match="func returned"):
        await _texts(_create(func))
    assert sync.value.http_status_code == 500


def test_a_func_that_says_it_returns_text_and_returns_none_is_wrong() -> None:
    def func(query) -> str:
        return None

    with pytest.raises(AgentException, match="func returned NoneType"):
        list(_create(func)(_QUERY, _CLAIMS))


async def test_what_an_author_raises_comes_out_unchanged() -> None:
    def fails(query):
        raise KeyError("x")

    def fails_late(query):
        yield "a"
        raise KeyError("x")

    async def stops(query):
        raise StopIteration

    for func in (fails, fails_late):
        with pytest.raises(KeyError):
            await _texts(_create(func))
    with pytest.raises(RuntimeError):
        await _texts(_create(stops))


def test_a_func_that_says_nothing_of_its_result_may_return_nothing() -> None:
    def note(query):
        pass

    assert [response.message.text for response in _create(note)(_QUERY, _CLAIMS)] == [""]


# Threads and contexts


async def test_sync_code_runs_in_threads_and_async_code_in_the_loop() -> None:
    def plain(query):
        return threading.current_thread().name

    def generator(query):
        yield threading.current_thread().name

    async def coroutine(query):
        return threading.current_thread().name

    here = threading.current_thread().name
    assert await _texts(_create(plain)) != [here]
    assert await _texts(_create(generator)) != [here]
    assert await _texts(_create(coroutine)) == [here]


async def test_a_blocking_function_does_not_block_the_loop() -> None:
    release = threading.Event()

    def waits(query):
        assert release.wait(60)
        return "released"

    task = asyncio.ensure_future(_texts(_create(waits)))
    await asyncio.sleep(0.01)
    release.set()

    assert await task == ["released"]


async def test_context_variables_reach_the_function_and_stay_between_steps_of_a_generator() -> None:
    def generator(query):
        yield _variable.get()
        _variable.set("set inside")
        yield _variable.get()
        yield _variable.get()

    _variable.set("request")

    assert await _texts(_create(generator)) == ["request", "set inside", "set inside"]
    assert _variable.get() == "request"


async def test_a_generator_is_closed_when_its_reader_stops() -> None:
    closed: list[str] = []

    def generator(query):
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("sync")

    async def async_generator(query):
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("async")

    for func in (generator, async_generator):
        responses = _create(func).responses(_QUERY, _CLAIMS)
        assert (await anext(responses)).message.text == "a"
        await responses.aclose()
    assert closed == ["sync", "async"]


async def test_a_time_limit_on_a_running_generator_stays_a_time_limit() -> None:
    release = threading.Event()

    def generator(query):
        release.wait(60)
        yield "too late"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await _texts(_create(generator))
    release.set()


async def test_an_agent_func_of_ones_own_needs_only_call() -> None:
    class Echo(AgentFunc):
        def __call__(self, query: AgentQuery, claims: VerifiedTokenClaims) -> Iterable[AgentResponse]:
            yield AgentResponse(Message(query.message.text + claims.agent_id))

    assert await _texts(Echo()) == ["helloowner/agent"]
