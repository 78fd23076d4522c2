"""What model calls under way may use is held back, also from other processes on the same database."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from fixieai import errors
from fixieai.platform import calls_under_way
from fixieai.platform.calls_under_way import Amount, Held, Holds, Reached
from fixieai.platform.settings import DailyLimits
from fixieai.storage import executors
from fixieai.storage import usage as rows
from fixieai.storage.database import Database
from fixieai.storage.usage import Spent

_TODAY = "2026-01-31"
_MUCH = Amount(1_000, 1_000)
Make = Callable[..., Awaitable[Holds]]


@pytest.fixture
async def one_of_several(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Makes what a process has that shares the database, and is called as it is told."""
    monkeypatch.setattr(calls_under_way, "_SECONDS_UNTIL_STORED", 3600.0)
    monkeypatch.setattr(calls_under_way, "_SECONDS_BETWEEN_LOOKS", 0.01)
    made: list[Holds] = []

    async def make(name: str, **limits: float) -> Holds:
        await database.write(executors.add, name)
        holds = Holds(database, DailyLimits(**limits), lambda: _TODAY, lambda: name)  # type: ignore[arg-type]
        made.append(holds)
        return holds

    yield make
    for each in made:
        await each.close()


async def begun(holds: Holds, user_id: int, agent_id: str = "ann/dice", expected: Amount = _MUCH) -> Held:
    found = await holds.begin(user_id, agent_id, expected)
    assert not isinstance(found, Reached)
    return found


async def ended(database: Database, user_id: int, held: Held, used: Amount) -> None:
    """As calls end: what was used is stored somewhat later."""
    held.end(used)
    await asyncio.sleep(0)
    spent = Spent(_TODAY, "ann/dice", used.tokens, 0, used.nanodollars, held.id)
    await database.write(rows.add_tokens, user_id, spent)


async def is_waiting(task: "asyncio.Task[Held]") -> bool:
    await asyncio.sleep(0.1)
    return not task.done()


@pytest.mark.parametrize("seed", range(2))
async def test_calls_at_once_in_several_processes_go_beyond_the_limit_by_one_at_most(
    database: Database, ann: int, one_of_several: Make, seed: int
) -> None:
    chance = random.Random(seed)
    limit, most = chance.choice([(450, 100), (1_000, 300)])
    several = [await one_of_several(name, tokens=limit) for name in ("one", "two", "three")]
    used: list[int] = []

    async def call(holds: Holds) -> bool:
        expected = chance.randrange(50, most)
        found = await holds.begin(ann, chance.choice(["ann/dice", "ann/chef"]), Amount(expected, 0))
        if isinstance(found, Reached):
            return False
        await asyncio.sleep(chance.random() / 100)
        used.append(chance.randrange(40, expected))
        await ended(database, ann, found, Amount(used[-1], 0))
        return True

    passed = await asyncio.gather(*(call(each) for each in several * 12))
    assert limit <= sum(used) < limit + most
    assert passed.count(False) > 0
    assert (await asyncio.gather(*(each.begin(ann, "ann/dice", _MUCH) for each in several))) == [
        Reached(f"{limit:,} tokens", is_used_up=True)
    ] * 3


async def test_a_call_waits_for_one_at_another_process_and_goes_on_when_that_used_less(
    database: Database, ann: int, one_of_several: Make
) -> None:
    one, other = [await one_of_several(name, tokens=1_000) for name in ("one", "two")]
    first = await begun(one, ann)
    second = asyncio.create_task(begun(other, ann))
    assert await is_waiting(second)
    await ended(database, ann, first, Amount(10, 0))
    (await second).end(_MUCH)


async def test_money_is_held_back_too(database: Database, ann: int, one_of_several: Make) -> None:
    one, other = [await one_of_several(name, dollars=0.000001) for name in ("one", "two")]
    first = await begun(one, ann)
    second = asyncio.create_task(other.begin(ann, "ann/chef", _MUCH))
    assert await is_waiting(second)  # type: ignore[arg-type]
    await ended(database, ann, first, Amount(10, 1_000))
    assert await second == Reached("$1e-06 of model calls", is_used_up=True)


async def test_a_limit_on_an_agent_holds_back_that_agent_alone(ann: int, one_of_several: Make) -> None:
    one, other = [await one_of_several(name, agent_tokens=1_000) for name in ("one", "two")]
    await begun(one, ann)
    waiting = asyncio.create_task(begun(other, ann))
    await begun(other, ann, "ann/chef")
    assert await is_waiting(waiting)
    waiting.cancel()


async def test_what_a_process_that_died_held_back_is_free_when_it_is_taken_for_dead(
    database: Database, ann: int, one_of_several: Make
) -> None:
    dying, living = [await one_of_several(name, tokens=1_000) for name in ("one", "two")]
    await begun(dying, ann)
    waiting = asyncio.create_task(begun(living, ann))
    assert await is_waiting(waiting)
    assert await database.write(executors.remove, "one", 0)
    await waiting


async def test_a_call_that_is_given_up_while_it_begins_holds_nothing_back(
    ann: int, one_of_several: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_under_way, "_SECONDS_UNTIL_STORED", 0.01)
    one, other = [await one_of_several(name, tokens=1_000) for name in ("one", "two")]
    giving_up = asyncio.create_task(begun(one, ann))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    giving_up.cancel()
    await begun(other, ann)


async def test_a_call_of_which_nothing_is_stored_is_released_by_itself_also_after_an_outage(
    ann: int, one_of_several: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_under_way, "_SECONDS_UNTIL_STORED", 0.01)
    one, other = [await one_of_several(name, tokens=1_000) for name in ("one", "two")]
    first = await begun(one, ann)
    with monkeypatch.context() as away:
        away.setattr(rows, "release", _fail)
        first.end(Amount(0, 0))
        waiting = asyncio.create_task(begun(other, ann))
        assert await is_waiting(waiting)
    await waiting


def _fail(*_: object) -> None:
    raise errors.StorageFull


async def test_calls_of_one_process_end_one_by_one(
    database: Database, ann: int, one_of_several: Make
) -> None:
    one = await one_of_several("one", tokens=2_500)
    calls = [await begun(one, ann) for _ in range(3)]
    waiting = asyncio.create_task(begun(one, ann))
    assert await is_waiting(waiting)
    await ended(database, ann, calls[0], Amount(0, 0))
    await waiting
    another = asyncio.create_task(begun(one, ann))
    assert await is_waiting(another)
    another.cancel()
