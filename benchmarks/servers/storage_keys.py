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
from fixieai.storage.transaction import Transaction

_AGENT = "local/dice"
_AT_ONCE = 100
_VALUE = json.dumps("x" * 100)
_CALLS = 300


def _put(transaction: Transaction, owner_id: int, first: int, last: int) -> None:
    for number in range(first, last):
        user_storage.put(transaction, owner_id, _AGENT, f"key {number:09d}", _VALUE)


async def _fill(database: Database, owner_id: int, first: int, last: int) -> float:
    """Seconds per key."""
    began = time.perf_counter()
    for start in range(first, last, _AT_ONCE):
        await database.write(_put, owner_id, start, min(start + _AT_ONCE, last))
    return (time.perf_counter() - began) / (last - first)


async def _median(call: Callable[[int], Awaitable[object]], count: int) -> float:
    taken = []
    for number in range(_CALLS):
        began = time.perf_counter()
        await call(number * 7919 % count)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def _times(database: Database, owner_id: int, count: int) -> dict[str, float]:
    async def get(number: int) -> None:
        value = await database.read(user_storage.get, owner_id, _AGENT, f"key {number:09d}")
        if value != _VALUE:
            raise RuntimeError(f"key {number} has the value {value!r}")

    async def put(number: int) -> None:
        await database.write(_put, owner_id, number, number + 1)

    async def page(number: int) -> None:
        await database.read(user_storage.keys, owner_id, _AGENT, f"key {number:09d}", 100)

    return {
        "get": await _median(get, count),
        "put": await _median(put, count),
        "page": await _median(page, count),
        "memory": float(peak_bytes("self")),
    }


async def main(url: str, few: int, many: int) -> dict[str, object]:
    database = await connect(url)
    owner_id = (await database.write(users.ensure, "local")).id
    fill_few = await _fill(database, owner_id, 0, few)
    with_few = await _times(database, owner_id, few)
    fill_many = await _fill(database, owner_id, few, many)
    with_many = await _times(database, owner_id, many)
    await database.close()
    return {"few": with_few | {"fill": fill_few}, "many": with_many | {"fill": fill_many}}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
