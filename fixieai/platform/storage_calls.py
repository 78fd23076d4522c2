"""Calls to the storage of agents, counted by person and day, in memory as far as that is exact.

A platform that has its database to itself reads how many calls are left, counts them down, and stores
every second how many were made. One of several sets calls aside in the database before they are made,
a small part of those that are left at a time, close to the limit one by one; what is not used within a
second is given back. So no more pass than may, wherever they are made.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform import unwatched
from fixieai.storage import usage as rows
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction

_SECONDS_UNSTORED = 1.0
_SECONDS_REFUSED = 1.0
_MOST_SET_ASIDE = 50
_PART_SET_ASIDE = 20
_PEOPLE_REMEMBERED = 10_000
_Day = tuple[int, str]
_logger = logging.getLogger("fixieai.platform")


@dataclass(slots=True)
class _Ready:
    """Calls that a person may make on a day without a look into the database, and when to look next."""

    calls: int = 0
    refused_until: float = -math.inf


class StorageCalls:
    """Of all people. `limit` is for each of them and day; None: as many as they like."""

    def __init__(
        self,
        database: Database,
        limit: int | None,
        clock: Callable[[], float] = time.time,
        *,
        is_alone: bool = True,
    ) -> None:
        self._database = database
        self._limit = limit
        self._clock = clock
        self._is_alone = is_alone
        self._ready: dict[_Day, _Ready] = {}
        self._asking: dict[_Day, asyncio.Task[None]] = {}
        # By how much the database's count is too small; less than 0 for what is set aside.
        self._unstored: dict[_Day, int] = {}
        self._storing: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    async def count(self, user_id: int, day: str) -> bool:
        """Counts one more; False when there were as many as there may be."""
        if self._limit is not None and not await self._take((user_id, day), self._limit):
            return False
        self._change((user_id, day), 1)
        return True

    async def of_day(self, user_id: int, day: str) -> tuple[int, list[rows.Row]]:
        """How many calls there were so far, and all rows of the day."""
        async with self._writing:  # calls are in memory or in the database, and not on their way
            found = await self._database.read(rows.of_day, user_id, day)
            unstored = self._unstored.get((user_id, day), 0)
        return sum(row.storage_calls for row in found) + unstored, found

    async def close(self) -> None:
        """Stores what is only counted in memory so far, and gives back what was set aside."""
        if self._storing is not None:
            self._storing.cancel()
            self._storing = None
        await self._store()

    async def _take(self, whose: _Day, limit: int) -> bool:
        while not (ready := self._ready.get(whose) or _Ready()).calls:
            if self._clock() < ready.refused_until:
                return False
            await self._asked(whose, limit)
        ready.calls -= 1
        return True

    async def _asked(self, whose: _Day, limit: int) -> None:
        """One asks for all who wait; what it is given is theirs also when it does not wait any longer."""
        task = self._asking.get(whose)
        if task is None:
            task = self._asking[whose] = unwatched.begun(self._ask(whose, limit))
        await asyncio.shield(task)

    async def _ask(self, whose: _Day, limit: int) -> None:
        try:
            given = await (self._left(whose, limit) if self._is_alone else self._set_aside(whose, limit))
        finally:
            # At once, and not in a callback: a call that comes between finds all given out, and asks anew.
            del self._asking[whose]
        if len(self._ready) >= _PEOPLE_REMEMBERED:
            self._ready.pop(next(iter(self._ready)))
        ready = self._ready.setdefault(whose, _Ready())
        ready.calls += given
        if not given:
            ready.refused_until = self._clock() + _SECONDS_REFUSED

    async def _left(self, whose: _Day, limit: int) -> int:
        used, _ = await self.of_day(*whose)
        return max(0, limit - used)

    async def _set_aside(self, whose: _Day, limit: int) -> int:
        async with self._writing:  # what is being given back here may be what is left
            pass
        calls = await self._database.write(rows.set_storage_calls_aside, *whose, limit, _part)
        self._change(whose, -calls)
        return calls

    def _change(self, whose: _Day, calls: int) -> None:
        self._unstored[whose] = self._unstored.get(whose, 0) + calls
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_later())

    async def _store_later(self) -> None:
        await asyncio.sleep(_SECONDS_UNSTORED)
        self._storing = None
        await self._store()

    async def _store(self) -> None:
        async with self._writing:
            unstored, self._unstored = self._unstored, {}
            if not self._is_alone:
                now = self._clock()
                self._ready = {whose: each for whose, each in self._ready.items() if each.refused_until > now}
            if not any(unstored.values()):
                return
            try:
                await self._database.write(_add_all, unstored)
            except errors.FixieError as error:
                _logger.warning("counts of storage calls cannot be stored: %s", error.message)
                self._keep(unstored)

    def _keep(self, unstored: Mapping[_Day, int]) -> None:
        """What was set aside stays so: it may have been given back after all, and must not be twice."""
        for whose, calls in unstored.items():
            if calls > 0:
                self._unstored[whose] = self._unstored.get(whose, 0) + calls


def _part(left: int) -> int:
    """How many of the calls that are left are set aside at a time."""
    return max(1, min(_MOST_SET_ASIDE, left // _PART_SET_ASIDE))


def _add_all(transaction: Transaction, unstored: Mapping[_Day, int]) -> None:
    for (user_id, day), calls in unstored.items():
        if calls:
            rows.add_storage_calls(transaction, user_id, day, calls)
