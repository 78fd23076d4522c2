"""What is counted, exactly, and for whom."""

import asyncio

from fixieai.storage import executors, usage
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.storage.usage import Hold, Row, Spent

_DAY = "2026-01-31"


async def test_of_many_counts_at_once_exactly_as_many_as_the_limit_pass(
    database: Database, owner_id: int
) -> None:
    calls = [database.write(usage.count_query, owner_id, _DAY, 100) for _ in range(500)]
    counted = [number for number in await asyncio.gather(*calls) if number is not None]
    assert sorted(counted) == list(range(1, 101))
    (row,) = await database.read(usage.of_day, owner_id, _DAY)
    assert row.queries == 100


def test_people_and_days_count_by_themselves(transaction: Transaction, ann: int, bob: int) -> None:
    assert usage.count_query(transaction, ann, _DAY, 1) == 1
    assert usage.count_query(transaction, ann, _DAY, 1) is None
    assert usage.count_query(transaction, ann, "2026-02-01", 1) == 1
    assert usage.count_query(transaction, bob, _DAY, 1) == 1


def test_without_a_limit_everything_is_counted(transaction: Transaction, ann: int) -> None:
    assert [usage.count_query(transaction, ann, _DAY, None) for _ in range(3)] == [1, 2, 3]


def test_storage_calls_are_set_aside_out_of_those_that_are_left(
    transaction: Transaction, ann: int, bob: int
) -> None:
    def set_aside(person: int, limit: int) -> int:
        return usage.set_storage_calls_aside(transaction, person, _DAY, limit, lambda left: min(left, 4))

    assert usage.count_query(transaction, ann, _DAY, None) == 1
    assert [set_aside(ann, 10) for _ in range(4)] == [4, 4, 2, 0]
    usage.add_storage_calls(transaction, ann, _DAY, -3)
    assert [set_aside(ann, 10), set_aside(ann, 10), set_aside(ann, 5)] == [3, 0, 0]
    assert set_aside(bob, 10) == 4
    assert usage.of_day(transaction, ann, _DAY) == [Row("", 1, 10, 0, 0, 0)]


def test_what_living_executors_hold_back_is_shown_to_who_judges(
    transaction: Transaction, ann: int, bob: int
) -> None:
    def ids(new: Hold) -> list[str]:
        """What is held back when `new` comes, which is refused."""
        return sorted(each.id for each in usage.hold(transaction, new, lambda _, others: others) or [])

    for name in ("one", "two"):
        executors.add(transaction, name)
    one, two, bobs = [
        Hold(name[:1], name, person, _DAY, "ann/dice", 10, 5)
        for name, person in (("one", ann), ("two", ann), ("two", bob))
    ]
    for hold in (one, two, bobs):
        assert usage.hold(transaction, hold, lambda *_: None) is None
    asking = Hold("x", "three", ann, _DAY, "ann/chef", 1, 1)
    assert ids(asking) == ["o", "t"]
    usage.release(transaction, [one, one])
    assert ids(asking) == ["t"]
    usage.add_tokens(transaction, ann, Spent(_DAY, "ann/dice", 7, 0, 0, two.id))
    assert ids(asking) == []
    assert usage.hold(transaction, one, lambda *_: None) is None
    executors.remove(transaction, "one", 0)
    assert ids(asking) == []


def test_holds_of_former_days_are_forgotten(transaction: Transaction, ann: int) -> None:
    executors.add(transaction, "one")
    days = ("2026-02-01", "2026-01-31", "2026-02-01")
    seen = [
        usage.hold(transaction, Hold(str(number), "one", ann, day, "ann/dice", 1, 1), lambda *_: None)
        for number, day in enumerate(days)
    ]
    others: list[str] = []
    new = Hold("new", "one", ann, "2026-02-01", "ann/dice", 1, 1)
    usage.hold(transaction, new, lambda _, held: others.extend(each.id for each in held))
    assert seen == [None] * 3
    assert sorted(others) == ["0", "2"]


def test_tokens_add_up_by_agent(transaction: Transaction, ann: int, bob: int) -> None:
    usage.add_storage_calls(transaction, ann, _DAY, 2)
    usage.add_storage_calls(transaction, ann, _DAY, 3)
    usage.add_tokens(transaction, ann, Spent(_DAY, "ann/dice", 10, 2, 7))
    usage.add_tokens(transaction, ann, Spent(_DAY, "ann/dice", 1, 1, 1))
    usage.add_tokens(transaction, ann, Spent(_DAY, "ann/chef", 5, 0, 0))
    assert usage.of_day(transaction, ann, _DAY) == [
        Row("", 0, 5, 0, 0, 0),
        Row("ann/chef", 0, 0, 5, 0, 0),
        Row("ann/dice", 0, 0, 11, 3, 8),
    ]
    assert usage.of_day(transaction, bob, _DAY) == []
