"""Standalone agents stream lines through a real server."""

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from odd_funcs import QUERY, echo, fail, in_pieces, nothing_at_all

from fixieai.agents import exceptions
from fixieai.agents.standalone import StandaloneAgent
from fixieai.protocol.messages import Message


def lines_of(answer: requests.Response) -> list[Any]:
    return [json.loads(line) for line in answer.content.splitlines()]


def ask(url: str, key_server: Any, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key_server.token()}"}
    return requests.post(url + "/", json=QUERY, headers=headers, timeout=60, **options)


def test_a_standalone_agent_answers_a_line_per_item(served: Callable[[Any], str], key_server: Any) -> None:
    answer = ask(served(StandaloneAgent(in_pieces)), key_server)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert [line["message"]["text"] for line in lines_of(answer)] == ["first", "second"]
    assert answer.content.endswith(b"\n")


@pytest.mark.parametrize("is_async", [False, True])
def test_each_line_is_sent_as_soon_as_it_is_there(
    served: Callable[[Any], str], key_server: Any, is_async: bool
) -> None:
    has_read = threading.Event()

    def pieces(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        yield str(has_read.wait(60))

    async def pieces_async(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        yield str(await asyncio.to_thread(has_read.wait, 10))

    url = served(StandaloneAgent(pieces_async if is_async else pieces))
    with ask(url, key_server, stream=True) as answer:
        lines = answer.iter_lines(chunk_size=1)
        assert json.loads(next(lines))["message"]["text"] == "first"
        has_read.set()
        assert json.loads(next(lines))["message"]["text"] == "True"


def test_a_single_answer_is_a_single_line(served: Callable[[Any], str], key_server: Any) -> None:
    assert lines_of(ask(served(StandaloneAgent(echo)), key_server))[0]["message"]["text"] == "hello"


def test_no_items_are_no_lines(served: Callable[[Any], str], key_server: Any) -> None:
    answer = ask(served(StandaloneAgent(nothing_at_all)), key_server)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_failure_before_the_first_line_has_the_status(
    served: Callable[[Any], str], key_server: Any
) -> None:
    answer = ask(served(StandaloneAgent(fail)), key_server)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "ERR_AGENT_UNHANDLED_EXCEPTION")


def test_a_failure_on_the_way_is_the_last_line(served: Callable[[Any], str], key_server: Any) -> None:
    def breaks(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        sys.exit(1)

    answer = ask(served(StandaloneAgent(breaks)), key_server)
    assert answer.status_code == 200
    first, last = lines_of(answer)
    assert (first["message"]["text"], first["error"]) == ("first", None)
    assert last["message"]["text"] == exceptions.UNHANDLED_EXCEPTION_RESPONSE_TEXT
    assert last["error"]["code"] == "ERR_AGENT_UNHANDLED_EXCEPTION"


def test_a_stream_that_stalls_ends_with_an_error(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stalls(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        await asyncio.sleep(30)
        yield "never"

    monkeypatch.setenv("FIXIE_FUNC_TIMEOUT", "0.2")
    first, last = lines_of(ask(served(StandaloneAgent(stalls)), key_server))
    assert (first["error"], last["error"]["code"]) == (None, "ERR_AGENT_TIMEOUT")


def test_a_stream_nobody_reads_is_ended(served: Callable[[Any], str], key_server: Any) -> None:
    has_ended = threading.Event()

    async def endless(query: Message):  # type: ignore[no-untyped-def]
        try:
            while True:
                yield "x" * 10_000
                await asyncio.sleep(0.01)
        finally:
            has_ended.set()

    with ask(served(StandaloneAgent(endless)), key_server, stream=True) as answer:
        next(answer.iter_lines(chunk_size=1))
    assert has_ended.wait(60)
