"""Days, tallies and what is stored of them, without a platform around."""

import asyncio

import pytest
from clocks import Clock

from fixieai import errors
from fixieai.platform.budgets import Budgets
from fixieai.platform.prices import Prices
from fixieai.platform.settings import DailyLimits
from fixieai.platform.usage import Tokens, Usage
from fixieai.storage import queries, sessions
from fixieai.storage import usage as rows
from fixieai.storage.database import Database
from fixieai.storage.messages import NewMessage
from fixieai.storage.queries import NewQuery

_MORNING = 1_769_850_000.0  # 2026-01-31, 09:00 UTC
_DAY = 86_400.0


@pytest.fixture
def clock() -> Clock:
    return Clock(_MORNING)


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
    await first.record(ann, "", (await first.admit(ann, "ann/dice", lambda: some(8))).close(some(8)))
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


async def test_what_other_processes_counted_counts_at_once(
    database: Database, ann: int, clock: Clock
) -> None:
    limits = DailyLimits(agent_tokens=100)
    one, two = (Usage(database, limits, Prices({}), clock, executor_id=lambda: "x") for _ in range(2))
    await one.record(ann, "", one.spent("ann/dice", some(99)))
    (await two.admit(ann, "ann/dice", lambda: some(5))).close(some(0))
    await one.record(ann, "", one.spent("ann/dice", some(1)))
    with pytest.raises(errors.DailyLimitReached, match="100 tokens for ann/dice"):
        await two.admit(ann, "ann/dice", lambda: some(5))
    (await two.admit(ann, "ann/other", lambda: some(5))).close(some(5))
    for usage in (one, two):
        await usage.close()


async def test_a_query_has_one_budget_wherever_its_models_are_called(database: Database, ann: int) -> None:
    session = await database.write(sessions.create, ann, "s")
    asked = NewQuery(NewMessage("query", "Hi"), "one")
    query = await database.write(queries.begin, ann, session.id, asked)
    here, elsewhere = Budgets(100, database), Budgets(100, database)
    stored = 0
    with here.opened(ann, "s", lambda: stored) as budget:
        budget.spend(60)
        stored = await database.write(rows.spend, query.id, 60)
        spent = rows.Spent("2026-01-31", "ann/dice", 50, 0, 0)
        found = await elsewhere.find(ann, "s")
        assert found is not None
        assert found.reached is None
        await database.write(rows.spend_in_session, ann, "s", spent)
        assert "110 tokens" in str((await elsewhere.find(ann, "s") or found).reached)
        assert await here.find(ann, "s") is budget
        budget.check()
        stored = await database.write(rows.spend, query.id, 0)  # with the next line
        with pytest.raises(errors.LimitReached):
            budget.check()
    assert await database.read(rows.of_query, ann, query.id) == 110
    assert await elsewhere.find(ann + 1, "s") is None
