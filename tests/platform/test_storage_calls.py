"""Calls to the storage of agents: exact in one process, and in several that share a database."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from clocks import Clock

from fixieai import errors
from fixieai.platform import storage_calls
from fixieai.platform.storage_calls import StorageCalls
from fixieai.storage import users
from fixieai.storage.database import Database

_DAY = "2026-01-31"
_MORNING = 1_769_850_000.0
Make = Callable[[int | None], StorageCalls]


@pytest.fixture
def clock() -> Clock:
    return Clock(_MORNING)


@pytest.fixture
async def one_of_several(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Make]:
    """Makes what a process has that shares the database. Nothing is given back unless it is closed."""
    monkeypatch.setattr(storage_calls, "_SECONDS_UNSTORED", 3600.0)
    made: list[StorageCalls] = []

    def make(limit: int | None) -> StorageCalls:
        made.append(StorageCalls(database, limit, clock, is_alone=False))
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def passed(calls: StorageCalls, user_id: int, times: int) -> int:
    """How many of so many calls at once were let pass."""
    return sum(await asyncio.gather(*(calls.count(user_id, _DAY) for _ in range(times))))


async def stored(database: Database, user_id: int) -> int:
    calls, _ = await StorageCalls(database, None).of_day(user_id, _DAY)
    return calls


async def until_stored(database: Database, user_id: int, calls: int) -> None:
    async with asyncio.timeout(60):
        while await stored(database, user_id) != calls:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)


async def test_of_many_at_once_in_several_processes_exactly_as_many_as_the_limit_pass(
    database: Database, ann: int, one_of_several: Make
) -> None:
    several = [one_of_several(250) for _ in range(3)]
    found = await asyncio.gather(*(passed(each, ann, 300) for each in several))
    assert sum(found) == 250
    for each in several:
        await each.close()
    assert await stored(database, ann) == 250


async def test_calls_that_come_all_the_time_do_not_block_when_the_last_one_is_given_to_another(
    ann: int, one_of_several: Make
) -> None:
    """Some find nothing left in the same turn of the event loop in which the answer was given out."""
    one = one_of_several(1)
    for year in range(2026, 2046):
        found = [asyncio.create_task(one.count(ann, f"{year}-01-31"))]
        while not found[0].done():
            found += [asyncio.create_task(one.count(ann, f"{year}-01-31")) for _ in range(2)]
            await asyncio.sleep(0)
        assert sum(await asyncio.gather(*found)) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_no_more_pass_than_may_and_nothing_is_left_when_all_is_given_back(
    database: Database, ann: int, one_of_several: Make, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    limit = chance.choice([1, 7, 60, 400])
    several = [one_of_several(limit) for _ in range(3)]
    total = 0
    for _ in range(15):
        at_once = [passed(chance.choice(several), ann, chance.randrange(20)) for _ in range(3)]
        ending = [each.close() for each in several if chance.random() < 0.2]
        total += sum((await asyncio.gather(*at_once, *(_none(each) for each in ending)))[:3])
        assert total <= limit
        clock.now += chance.random()
    for each in several:
        await each.close()
    clock.now += 2
    assert await stored(database, ann) == total
    assert total + await passed(several[0], ann, limit + 1) == limit


async def _none(closing: object) -> int:
    await closing  # type: ignore[misc]
    return 0


async def test_a_process_that_dies_takes_a_small_part_with_it(
    ann: int, one_of_several: Make, database: Database
) -> None:
    dying, living = one_of_several(1_000), one_of_several(1_000)
    assert await dying.count(ann, _DAY)
    found = await passed(living, ann, 1_000)
    assert 950 <= found < 1_000
    await living.close()
    assert await stored(database, ann) == found + 50


async def test_close_to_the_limit_nothing_is_set_aside(ann: int, one_of_several: Make) -> None:
    one, other = one_of_several(20), one_of_several(20)
    for _ in range(10):
        assert await one.count(ann, _DAY)
        assert await other.count(ann, _DAY)
    assert not await one.count(ann, _DAY)


async def test_what_is_not_used_is_given_back_by_itself(
    ann: int, one_of_several: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(storage_calls, "_SECONDS_UNSTORED", 0.01)
    one, other = one_of_several(1_000), one_of_several(1_000)
    assert await one.count(ann, _DAY)
    await until_stored(database, ann, 1)
    assert await passed(other, ann, 1_000) == 999
    assert not await one.count(ann, _DAY)
    clock.now += 1
    assert not await other.count(ann, _DAY)


async def test_calls_that_come_while_they_are_given_back_are_not_refused(
    ann: int, one_of_several: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = one_of_several(1_000), one_of_several(1_000)
    assert await one.count(ann, _DAY)
    assert await passed(other, ann, 1_000) == 950
    give_back = storage_calls._add_all

    def give_back_slowly(*args: Any) -> None:
        time.sleep(0.2)
        give_back(*args)

    monkeypatch.setattr(storage_calls, "_add_all", give_back_slowly)
    found = await asyncio.gather(one.close(), passed(one, ann, 60))
    assert found[1] == 49


async def test_what_is_set_aside_for_a_call_that_is_given_up_is_not_lost(
    ann: int, one_of_several: Make, database: Database
) -> None:
    one = one_of_several(1_000)
    giving_up = asyncio.create_task(one.count(ann, _DAY))
    await asyncio.sleep(0)
    giving_up.cancel()
    assert await passed(one, ann, 10) == 10
    await one.close()
    assert await stored(database, ann) == 10


async def test_what_may_have_been_given_back_is_not_given_back_again(
    ann: int, one_of_several: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = one_of_several(1_000)
    assert await one.count(ann, _DAY)
    with monkeypatch.context() as away:
        away.setattr(storage_calls, "_add_all", _fail)
        await one.close()
    await one.close()
    assert await stored(database, ann) == 50
    assert await passed(one, ann, 1_000) == 950


def _fail(*_: object) -> None:
    raise errors.StorageFull


async def test_days_and_people_count_by_themselves(
    ann: int, one_of_several: Make, database: Database
) -> None:
    bob = (await database.write(users.ensure, "bob")).id
    one = one_of_several(1)
    assert [await one.count(ann, _DAY), await one.count(ann, _DAY)] == [True, False]
    assert await one.count(bob, _DAY)
    assert await one.count(ann, "2026-02-01")


@pytest.mark.parametrize("is_alone", [True, False])
async def test_without_a_limit_they_are_stored_by_themselves(
    database: Database, ann: int, monkeypatch: pytest.MonkeyPatch, is_alone: bool
) -> None:
    monkeypatch.setattr(storage_calls, "_SECONDS_UNSTORED", 0.01)
    calls = StorageCalls(database, None, is_alone=is_alone)
    for number in (10, 20):
        assert await passed(calls, ann, 10) == 10
        await until_stored(database, ann, number)
    await calls.close()


async def test_counts_that_cannot_be_stored_are_kept_for_later(
    database: Database, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = StorageCalls(database, 10)
    assert await calls.count(ann, _DAY)
    with monkeypatch.context() as full:
        full.setattr(storage_calls, "_add_all", _fail)
        await calls.close()
    assert await stored(database, ann) == 0
    assert (await calls.of_day(ann, _DAY))[0] == 1
    await calls.close()
    assert await stored(database, ann) == 1


async def test_who_is_alone_writes_nothing_before_a_call(database: Database, ann: int) -> None:
    calls = StorageCalls(database, 5)
    assert await passed(calls, ann, 8) == 5
    assert await stored(database, ann) == 0
    await calls.close()
    assert await stored(database, ann) == 5
