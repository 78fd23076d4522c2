"""This process among those that run queries on one database: it beats, and watches the others' beats.

An executor whose beats stand still for a lease is taken for dead, and what it ran is taken over. One
that was only asleep finds, when it wakes, that it is no longer there: it drops what it ran (every
write of it would be refused) and goes on under a new name.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from typing import Protocol

from fixieai import errors
from fixieai.storage import executors
from fixieai.storage.database import Database

_BEATS_PER_LEASE = 4
_LEAVING_SECONDS = 5.0
_logger = logging.getLogger("fixieai.platform")


class Runs(Protocol):
    """What an executor runs."""

    async def take_over(self) -> None:
        """Goes on with every query whose executor is no longer there."""
        ...

    async def end_cancelled(self) -> None:
        """Ends what this executor was asked to end."""
        ...

    def drop(self) -> None:
        """Ends everything that runs here, and stores nothing of it."""
        ...


class Executor:
    """`id` is this process' name; it changes when the process was taken for dead."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._watch = _Watch(lease_seconds)
        self.id = _new_id()

    async def begin(self, *, is_alone: bool) -> None:
        """Takes its place; `is_alone`: whatever else is listed is of processes that ended."""
        if is_alone:
            await self._database.write(executors.remove_all)
        await self._database.write(executors.add, self.id)

    async def beat_for_ever(self, runs: Runs) -> None:
        """Beats and watches. The database may be away for a while: a beat that fails is tried again."""
        while True:
            await asyncio.sleep(self._lease_seconds / _BEATS_PER_LEASE)
            try:
                await self._beat(runs)
                await self._remove_dead()
                await runs.take_over()
                await runs.end_cancelled()
            except errors.ServiceUnavailable:
                continue
            except Exception:
                _logger.exception("a beat failed")

    async def end(self) -> None:
        """Leaves. What it still ran is found by whoever looks next, at once."""
        # If the database is away, others will see that it beats no more.
        with contextlib.suppress(errors.ServiceUnavailable, TimeoutError):
            async with asyncio.timeout(_LEAVING_SECONDS):
                await self._database.write(executors.leave, self.id)

    async def _beat(self, runs: Runs) -> None:
        if await self._database.write(executors.beat, self.id):
            return
        _logger.warning("this process was taken for dead while it stood still; its queries run elsewhere")
        runs.drop()
        self.id = _new_id()
        await self._database.write(executors.add, self.id)

    async def _remove_dead(self) -> None:
        beats = await self._database.read(executors.beats)
        for executor_id in self._watch.dead(beats, time.monotonic()):
            if executor_id == self.id:
                continue
            if await self._database.write(executors.remove, executor_id, beats[executor_id]):
                _logger.warning("executor %s stands still; its queries go on elsewhere", executor_id)


class _Watch:
    """When each executor was last seen to have beaten, by this process' own clock.

    It has to look all the time: the database may have been away, and then nobody could beat.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked = 0.0

    def dead(self, beats: dict[str, int], now: float) -> list[str]:
        """Those whose count has stood still for a lease."""
        if now - self._looked > self._lease_seconds / 2:
            self._seen = {}
        self._looked = now
        self._seen = {
            executor_id: seen if (seen := self._seen.get(executor_id)) and seen[0] == beat else (beat, now)
            for executor_id, beat in beats.items()
        }
        return [each for each, (_, since) in self._seen.items() if now - since >= self._lease_seconds]


def _new_id() -> str:
    return secrets.token_hex(8)
