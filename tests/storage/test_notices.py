"""What one process tells reaches the others that use the database: in order, once, and not itself."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import pytest

from fixieai.storage.database import connect, sqlite_url
from fixieai.storage.notices import LONGEST
from fixieai.storage.postgres_notices import PostgresNotices

_SECONDS = 60


class Ear:
    """What one process heard, and how often it had to take for granted that it missed some."""

    def __init__(self, url: str) -> None:
        self.notices = PostgresNotices(url)
        self.heard: list[str] = []
        self.missed = 0
        self._happened = asyncio.Event()

    def _hear(self, notice: str) -> None:
        self.heard.append(notice)
        self._happened.set()

    def _miss(self) -> None:
        self.missed += 1
        self._happened.set()

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(_SECONDS):
            while not is_true():
                self._happened.clear()
                await self._happened.wait()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Ear"]:
        async with self.notices.exchanged(self._hear, self._miss):
            await self.until(lambda: self.missed == 1)
            yield self


async def test_each_other_process_hears_what_is_sent_once_and_in_order(postgres_url: str) -> None:
    async with (
        Ear(postgres_url).open() as one,
        Ear(postgres_url).open() as two,
        Ear(postgres_url).open() as three,
    ):
        said = [f"notice {number}: é \\u0000 ' % \n" for number in range(500)]
        for notice in said:
            one.notices.send(notice)
            if notice.startswith("notice 250"):
                await asyncio.sleep(0.02)
        for ear in (two, three):
            await ear.until(lambda: len(ear.heard) == len(said))  # noqa: B023 - awaited at once

        assert two.heard == three.heard == said
        assert one.heard == []


async def test_a_notice_takes_milliseconds(postgres_url: str) -> None:
    async with Ear(postgres_url).open() as one, Ear(postgres_url).open() as two:
        took = []
        for number in range(20):
            began = time.perf_counter()
            one.notices.send("now")
            await two.until(lambda: len(two.heard) > number)  # noqa: B023 - awaited at once
            took.append(time.perf_counter() - began)

        assert sorted(took)[5] < 0.05  # a busy machine adds to many of them


async def test_the_longest_notice_arrives(postgres_url: str) -> None:
    async with Ear(postgres_url).open() as one, Ear(postgres_url).open() as two:
        one.notices.send("x" * LONGEST)
        await two.until(lambda: two.heard == ["x" * LONGEST])


async def test_one_that_cannot_be_sent_does_not_keep_back_the_others(postgres_url: str) -> None:
    async with Ear(postgres_url).open() as one, Ear(postgres_url).open() as two:
        one.notices.send("x" * 9_000)
        await asyncio.sleep(0.1)
        one.notices.send("small")
        await two.until(lambda: two.heard == ["small"])


async def test_what_is_sent_just_before_the_end_is_delivered(postgres_url: str) -> None:
    async with Ear(postgres_url).open() as two:
        async with Ear(postgres_url).open() as one:
            one.notices.send("I leave")
        await two.until(lambda: two.heard == ["I leave"])


@pytest.mark.parametrize("is_down_for", [0.0, 1.0])
async def test_after_an_outage_both_ways_work_again_and_everybody_knows_of_it(
    postgres_server, postgres_url: str, is_down_for: float
) -> None:
    async with Ear(postgres_url).open() as one, Ear(postgres_url).open() as two:
        await asyncio.to_thread(postgres_server.stop)
        one.notices.send("while it was down")
        await asyncio.sleep(is_down_for)
        await asyncio.to_thread(postgres_server.start)
        for ear in (one, two):
            await ear.until(lambda: ear.missed > 1)  # noqa: B023 - awaited at once
        one.notices.send("later")
        await two.until(lambda: "later" in two.heard)

        assert two.heard in (["later"], ["while it was down", "later"])


async def test_an_end_while_the_server_is_away_does_not_wait_for_it(
    postgres_server, postgres_url: str
) -> None:
    async with Ear(postgres_url).open() as one:
        await asyncio.to_thread(postgres_server.stop)
        try:
            one.notices.send("nobody hears")
            began = time.monotonic()
        finally:
            await asyncio.to_thread(postgres_server.start)
    assert time.monotonic() - began < 25


async def test_on_sqlite_there_is_nobody_to_tell(file) -> None:
    database = await connect(sqlite_url(file))
    heard: list[str] = []
    async with database.notices.exchanged(heard.append, lambda: heard.append("missed")):
        database.notices.send("hello")
    assert heard == []
    await database.close()
