"""Days, tallies and what is stored of them, without a platform around."""

import asyncio
import pathlib
from collections.abc import AsyncIterator

import pytest

from fixieai import errors
from fixieai.platform import usage as usages
from fixieai.platform.prices import Prices
from fixieai.platform.settings import DailyLimits
from fixieai.platform.usage import Tokens, Usage
from fixieai.storage import users
from fixieai.storage.database import Database, connect, sqlite_url

_MORNING = 1_769_850_000.0  # 2026-01-31, 09:00 UTC
_DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = _MORNING

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: pathlib.Path) -> AsyncIterator[Database]:
    database = await connect(sqlite_url(tmp_path / "fixie.db"))
    yield database
    await database.close()


@pytest.fixture
async def ann(database: Database) -> int:
    return (await database.write(users.ensure, "ann")).id


def some(tokens: int) -> Tokens:
    return Tokens("custom/some", tokens, 0)


async def test_a_new_day_begins_at_midnight_utc(database: Database, ann: int, clock: Clock) -> None:
    usage = Usage(database, DailyLimits(queries=1, storage_calls=1, tokens=10), Prices({}), clock)
    for _ in range(2):
        assert await database.write(usage.count_query, ann) == 1
        await usage.count_storage_call(ann)
        (await usage.admit(ann, "ann/dice", lambda: some(10))).close(some(10))
        refusals = []
        for call in (
            database.write(usage.count_query, ann),
            usage.count_storage_call(ann),
            usage.admit(ann, "ann/dice", lambda: some(1)),
        ):
            with pytest.raises(errors.DailyLimitReached) as refused:
                await call
            refusals.append(refused.value)
        seconds = _DAY - clock.now % _DAY
        assert [refusal.retry_after for refusal in refusals] == [seconds] * 3
        assert "in 15 h 0 min" in refusals[0].message
        clock.now += _DAY
    await usage.close()


async def test_what_was_stored_counts_after_a_restart(database: Database, ann: int, clock: Clock) -> None:
    limits = DailyLimits(storage_calls=3, tokens=10, agent_tokens=8)
    first = Usage(database, limits, Prices({}), clock)
    await first.count_storage_call(ann)
    await first.count_storage_call(ann)
    await first.record(ann, (await first.admit(ann, "ann/dice", lambda: some(8))).close(some(8)))
    await first.close()

    second = Usage(database, limits, Prices({}), clock)
    await second.count_storage_call(ann)
    with pytest.raises(errors.DailyLimitReached, match="3 calls"):
        await second.count_storage_call(ann)
    with pytest.raises(errors.DailyLimitReached, match="8 tokens for ann/dice"):
        await second.admit(ann, "ann/dice", lambda: some(1))
    (await second.admit(ann, "ann/chef", lambda: some(1))).close(some(2))
    with pytest.raises(errors.DailyLimitReached, match="10 tokens"):
        await second.admit(ann, "ann/chef", lambda: some(1))
    await second.close()


async def test_storage_calls_are_stored_by_themselves(
    database: Database, ann: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usages, "_SECONDS_UNSTORED", 0.01)
    usage = Usage(database, DailyLimits(storage_calls=None), Prices({}), clock)
    for _ in range(2):
        await asyncio.gather(*(usage.count_storage_call(ann) for _ in range(10)))
        await asyncio.sleep(0.1)
    assert (await Usage(database, DailyLimits(), Prices({}), clock).today(ann)).storage_calls == 20
    await usage.close()


async def test_counts_that_cannot_be_stored_are_kept_for_later(
    database: Database, ann: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = Usage(database, DailyLimits(), Prices({}), clock)
    await usage.count_storage_call(ann)
    with monkeypatch.context() as full:
        full.setattr(usages, "_store_calls", _full)
        await usage._store()
    assert (await usage.today(ann)).storage_calls == 1
    await usage.close()
    assert (await Usage(database, DailyLimits(), Prices({}), clock).today(ann)).storage_calls == 1


def _full(*_: object) -> None:
    raise errors.StorageFull


async def test_who_waits_for_others_can_give_up(database: Database, ann: int, clock: Clock) -> None:
    usage = Usage(database, DailyLimits(tokens=10), Prices({}), clock)
    under_way = await usage.admit(ann, "ann/dice", lambda: some(10))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await usage.admit(ann, "ann/dice", lambda: some(1))
    waiting = asyncio.create_task(usage.admit(ann, "ann/dice", lambda: some(1)))
    await asyncio.sleep(0.02)
    under_way.close(some(9))
    (await waiting).close(some(3))
    with pytest.raises(errors.DailyLimitReached):
        await usage.admit(ann, "ann/dice", lambda: some(1))
    await usage.close()


async def test_a_model_without_a_price_is_named_once_where_money_is_limited(
    database: Database, ann: int, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    usage = Usage(database, DailyLimits(dollars=2.0), Prices({}), clock)
    for _ in range(2):
        (await usage.admit(ann, "ann/dice", lambda: some(1))).close(some(1))
    await usage.close()
    assert [record.message.count("custom/some") for record in caplog.records] == [1]


async def test_money_is_held_back_for_calls_under_way(database: Database, ann: int, clock: Clock) -> None:
    prices = Prices({"custom/some": {"input": 1_000_000, "output": 0}})  # a dollar a token
    usage = Usage(database, DailyLimits(dollars=2.0), prices, clock)
    under_way = await usage.admit(ann, "ann/dice", lambda: some(2))
    waiting = asyncio.create_task(usage.admit(ann, "ann/chef", lambda: some(1)))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    under_way.close(some(1))
    (await waiting).close(some(1))
    with pytest.raises(errors.DailyLimitReached, match=r"\$2 of model calls"):
        await usage.admit(ann, "ann/chef", lambda: some(1))
    await usage.close()
