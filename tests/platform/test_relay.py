"""What processes on one database tell each other: what the others need, and nothing they stumble over."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fixieai.platform.feeds import Feeds
from fixieai.platform.relay import Relay
from fixieai.platform.runs import Event
from fixieai.storage.postgres_notices import PostgresNotices

_SECONDS = 60
_PARTIAL = Event("response", "Once", "ann/teller", model="m", is_partial=True, query_id=7)
_MESSAGE = Event("ask_func", "Ask Func[roll]: 20 1", "ann/teller")
_END = Event("response", "Once upon a time", "ann/teller", is_final=True)
_WATCHER = 1
_SESSION = 42


class Process:
    """One of those processes: its relay, and what its queries were told."""

    def __init__(self, url: str) -> None:
        self.feeds = Feeds()
        self.relay = Relay(PostgresNotices(url), self.feeds, self)
        self.told: asyncio.Queue[Any] = asyncio.Queue()

    def cancel_here(self, query_ids: set[int]) -> None:
        self.told.put_nowait(("cancel", query_ids))

    def free(self, session_id: int) -> None:
        self.told.put_nowait(("free", session_id))

    async def take_over(self) -> None:
        self.told.put_nowait("take over")

    async def is_told(self) -> Any:
        return await asyncio.wait_for(self.told.get(), _SECONDS)


class Listener:
    """Hears all that is sent."""

    def __init__(self, url: str) -> None:
        self.notices = PostgresNotices(url)
        self._heard: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._listens = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Listener"]:
        def hear(notice: str) -> None:
            self._heard.put_nowait(json.loads(notice))

        async with self.notices.exchanged(hear, self._listens.set):
            await asyncio.wait_for(self._listens.wait(), _SECONDS)
            yield self

    async def until(self, is_last: Callable[[list[Any]], bool]) -> list[list[Any]]:
        heard: list[list[Any]] = []
        while not (heard and is_last(heard[-1])):
            heard.append(await asyncio.wait_for(self._heard.get(), _SECONDS))
        return heard


async def test_answers_being_written_are_told_only_where_somebody_watches(postgres_url: str) -> None:
    process = Process(postgres_url)
    async with Listener(postgres_url).open() as other, process.relay.connected():
        await other.until(lambda notice: notice == ["who watches"])
        for event in (_PARTIAL, _MESSAGE, _PARTIAL, _END):
            process.relay.publish(_SESSION, event)
        heard = await other.until(lambda notice: notice[0] == "ended")
        assert heard == [["stored", _SESSION], ["ended", _SESSION]]

        other.notices.send(json.dumps(["watched", [_SESSION]]))
        other.notices.send(json.dumps(["cancelled", 9]))
        assert await process.is_told() == ("free", _SESSION)  # by the query that ended here
        assert await process.is_told() == ("cancel", {9})
        process.relay.publish(_SESSION, _PARTIAL)
        process.relay.publish(_SESSION + 1, _PARTIAL)
        process.relay.publish(_SESSION, _END)
        heard = await other.until(lambda notice: notice[0] == "ended")
        assert heard == [["partial", _SESSION, 7, "Once", "ann/teller", "m"], ["ended", _SESSION]]


async def test_one_that_starts_learns_who_watches_elsewhere(postgres_url: str) -> None:
    process, newcomer = Process(postgres_url), Process(postgres_url)
    async with process.relay.connected(), contextlib.AsyncExitStack() as stack:
        feed = stack.enter_context(process.relay.watch(_WATCHER, _SESSION))
        await stack.enter_async_context(newcomer.relay.connected())
        await stack.enter_async_context(asyncio.timeout(_SECONDS))
        while feed.partial is None:
            newcomer.relay.publish(_SESSION, _PARTIAL)
            await feed.wait(0.05)

        assert (feed.partial.text, feed.partial.query_id) == ("Once", 7)


async def test_when_one_leaves_the_others_look_for_what_it_left(postgres_url: str) -> None:
    stays, leaves = Process(postgres_url), Process(postgres_url)
    async with Listener(postgres_url).open() as other, stays.relay.connected():
        await other.until(lambda notice: notice == ["who watches"])
        async with leaves.relay.connected():
            await other.until(lambda notice: notice == ["who watches"])
        assert await stays.is_told() == "take over"
    assert leaves.told.empty()


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "{}",
        "[]",
        "7",
        "null",
        '["a newer kind", 1]',
        '["stored"]',
        '["watched", 7]',
        '["stored", []]',
    ],
)
async def test_what_cannot_be_read_is_passed_over(postgres_url: str, garbage: str) -> None:
    process = Process(postgres_url)
    async with Listener(postgres_url).open() as other, process.relay.connected():
        await other.until(lambda notice: notice == ["who watches"])
        other.notices.send(garbage)
        other.notices.send(json.dumps(["ended", _SESSION]))
        assert await process.is_told() == ("free", _SESSION)
