"""Who guesses passwords is slowed down, at whichever platform of a database."""

import asyncio

import pytest
from clocks import Clock

from fixieai import errors
from fixieai.platform import attempts
from fixieai.platform.attempts import Attempts
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction


async def waits(tried: Attempts, clock: Clock, times: int) -> list[float]:
    """How long each attempt has to wait, when each is made as soon as it may."""
    found = []
    for _ in range(times):
        try:
            await tried.begin("ann")
            found.append(0.0)
        except errors.TooManyRequests as refused:
            found.append(refused.retry_after or 0.0)
            clock.now += found[-1]
            await tried.begin("ann")
    return found


async def test_a_few_attempts_are_free_and_the_next_ones_wait_longer_and_longer(database: Database) -> None:
    clock = Clock()

    waited = await waits(Attempts(database, clock), clock, 11)

    assert waited == [0, 0, 0, 0, 0, 5, 10, 20, 40, 60, 60]


async def test_attempts_at_once_count_before_any_has_failed(database: Database) -> None:
    platforms = [Attempts(database, Clock()) for _ in range(2)]
    tries = [tried.begin("ann") for tried in platforms for _ in range(8)]

    results = await asyncio.gather(*tries, return_exceptions=True)

    refused = [each for each in results if isinstance(each, errors.TooManyRequests)]
    assert len(results) - len(refused) == attempts.FREE_ATTEMPTS
    await platforms[0].begin("bob")


async def test_success_and_time_make_up_for_failures(database: Database) -> None:
    clock = Clock()
    tried = Attempts(database, clock)
    await waits(tried, clock, 8)
    await tried.succeeded("ann")
    assert await waits(tried, clock, 6) == [0, 0, 0, 0, 0, 5]
    clock.now += 3601
    assert await waits(tried, clock, 2) == [0, 0]


async def test_a_clock_that_is_set_back_shuts_nobody_out(database: Database) -> None:
    clock = Clock()
    tried = Attempts(database, clock)
    await waits(tried, clock, 6)
    clock.now -= 86_400

    with pytest.raises(errors.TooManyRequests) as refused:
        await tried.begin("ann")

    assert refused.value.retry_after == 10


async def test_only_so_many_names_are_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixieai.storage.sign_in_attempts._MOST_NAMES", 20)
    clock = Clock()
    tried = Attempts(database, clock)
    for number in range(50):
        clock.now += 0.01
        await tried.begin(f"{number}" * 300)

    assert await database.read(_count) == 20


def _count(transaction: Transaction) -> int:
    row = transaction.row("SELECT count(*) FROM sign_in_attempts", {})
    return int(row[0]) if row else 0


async def test_many_other_names_do_not_make_up_for_failures(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixieai.storage.sign_in_attempts._MOST_NAMES", 20)
    clock = Clock()
    tried = Attempts(database, clock)
    await waits(tried, clock, 6)
    for number in range(50):
        clock.now += 0.01
        await tried.begin(f"nobody-{number}")

    with pytest.raises(errors.TooManyRequests):
        await tried.begin("ann")
