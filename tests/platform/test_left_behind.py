"""Queries that another process left behind are taken once, and none is lost on the way."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fixieai.platform.left_behind import LeftBehind
from fixieai.storage import executors, messages, queries, sessions
from fixieai.storage.database import Database
from fixieai.storage.transaction import DatabaseUnavailable


class _GoesAway(Database):
    """Stores what it is given the first time, and cannot say so any more."""

    has_gone = False

    async def write(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        stored = await super().write(function, *args, **kwargs)
        if not self.has_gone:
            self.has_gone = True
            raise DatabaseUnavailable
        return stored


async def _leave(database: Database, owner_id: int, handle: str) -> int:
    session = await database.write(sessions.create, owner_id, handle)
    question = messages.NewMessage("query", "Well?", sender="user")
    new = queries.NewQuery(question, "gone", "ann/robot")
    return (await database.write(queries.begin, owner_id, session.id, new)).id


async def test_what_was_taken_without_knowing_is_taken_again(database: Database, ann: int) -> None:
    await database.write(executors.add, "one")
    first = await _leave(database, ann, "calm-blue-sea")
    left_behind = LeftBehind(_GoesAway(database._readers, database._writer))
    with pytest.raises(DatabaseUnavailable):
        await left_behind.take("one")
    second = await _leave(database, ann, "green-old-hill")

    taken = await left_behind.take("one")
    assert [(each.id, each.attempts) for each in taken] == [(first, 2), (second, 1)]
    assert await left_behind.take("one") == []


async def test_what_another_took_meanwhile_is_left_to_it(database: Database, ann: int) -> None:
    await database.write(executors.add, "one")
    await database.write(executors.add, "two")
    query_id = await _leave(database, ann, "calm-blue-sea")
    left_behind = LeftBehind(_GoesAway(database._readers, database._writer))
    with pytest.raises(DatabaseUnavailable):
        await left_behind.take("one")
    await database.write(executors.remove, "one", 0)
    assert [each.id for each in await LeftBehind(database).take("two")] == [query_id]

    await database.write(executors.add, "one")
    assert await left_behind.take("one") == []


async def test_of_several_who_look_at_once_one_takes(database: Database, ann: int) -> None:
    left = {await _leave(database, ann, f"session-{number}") for number in range(5)}
    several = []
    for name in ("one", "two"):
        await database.write(executors.add, name)
        several.append((LeftBehind(database), name))
    found = await asyncio.gather(*(each.take(name) for each, name in several for _ in range(3)))
    assert sorted(query.id for taken in found for query in taken) == sorted(left)
