"""Fills the storage of one agent for one person, and reads it. Prints one line of JSON.

Arguments: the database's URL, how many keys first, how many in the end.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks.processes import peak_bytes
from fixieai.storage import user_storage, users
from fixieai.storage.database import Database, connect
from fixieai.storage.transaction import Params, Transaction

_AGENT = "local/dice"
_AT_ONCE = 10_000
_VALUE = json.dumps("x" * 100)
_CALLS = 300


_FILL = """
WITH RECURSIVE numbers (n) AS (
    SELECT CAST(:first AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :last
)
INSERT INTO user_storage (user_id, agent_id, key, value, size)
SELECT :user_id, :agent_id, 'key ' || (1000000000 + n), :value, :size FROM numbers
"""
_COUNT = """
UPDATE user_storage_usage SET keys = keys + :keys, bytes = bytes + :bytes
WHERE user_id = :user_id AND agent_id = :agent_id
"""


def _key(number: int) -> str:
    return f"key {1_000_000_000 + number}"


def _put(transaction: Transaction, owner_id: int, number: int) -> None:
    user_storage.put(transaction, owner_id, _AGENT, _key(number), _VALUE)


def _fill_at_once(transaction: Transaction, owner_id: int, first: int, last: int) -> None:
    """As many puts leave them, without their way to the database and back."""
    size = len(_key(0)) + len(_VALUE)
    of_agent: Params = {"user_id": owner_id, "agent_id": _AGENT, "size": size}
    transaction.execute(_FILL, {**of_agent, "first": first, "last": last, "value": _VALUE})
    transaction.execute(_COUNT, {**of_agent, "keys": last - first, "bytes": (last - first) * size})


async def _fill(database: Database, owner_id: int, first: int, last: int) -> None:
    for start in range(first, last, _AT_ONCE):
        await database.write(_fill_at_once, owner_id, start, min(start + _AT_ONCE, last))


async def _median(call: Callable[[int], Awaitable[object]], count: int) -> float:
    taken = []
    for number in range(_CALLS):
        began = time.perf_counter()
        await call(number * 7919 % count)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def _times(database: Database, owner_id: int, count: int) -> dict[str, float]:
    async def get(number: int) -> None:
        value = await database.read(user_storage.get, owner_id, _AGENT, _key(number))
        if value != _VALUE:
            raise RuntimeError(f"key {number} has the value {value!r}")

    async def put(number: int) -> None:
        await database.write(_put, owner_id, number)

    async def page(number: int) -> None:
        await database.read(user_storage.keys, owner_id, _AGENT, _key(number), 100)

    return {
        "get": await _median(get, count),
        "put": await _median(put, count),
        "page": await _median(page, count),
        "memory": float(peak_bytes("self")),
    }


async def main(url: str, few: int, many: int) -> dict[str, dict[str, float]]:
    database = await connect(url)
    owner_id = (await database.write(users.ensure, "local")).id
    await database.write(_put, owner_id, 0)
    await _fill(database, owner_id, 1, few)
    with_few = await _times(database, owner_id, few)
    await _fill(database, owner_id, few, many)
    with_many = await _times(database, owner_id, many)
    await database.close()
    return {"few": with_few, "many": with_many}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
