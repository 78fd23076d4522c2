"""Programs that serve agents and may be killed: when one renews its lease no more, the agent goes back."""

import asyncio
import contextlib
import logging
import time

from fixieai import errors
from fixieai.platform.hosting import Hosting
from fixieai.storage import revisions
from fixieai.storage.database import Database

_logger = logging.getLogger("fixieai.platform")
_SECONDS_BETWEEN_LOOKS = 2.0
_AT_ONCE = 100
# What programs get at the start of a platform: they could not renew while there was none.
_GRACE_SECONDS = 15


class Leases:
    """Looks every two seconds whether a lease has ended, and not at all while nothing is leased."""

    def __init__(self, database: Database, hosting: Hosting) -> None:
        self._database = database
        self._hosting = hosting
        self._there_may_be_some = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if await self._database.read(revisions.next_expiry) is not None:
            await self._database.write(revisions.extend_leases, int(time.time()) + _GRACE_SECONDS)
            self.watch()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    def watch(self) -> None:
        """There is a lease now."""
        self._there_may_be_some.set()

    async def _watch(self) -> None:
        while True:
            await self._there_may_be_some.wait()
            try:
                await self._look()
            except errors.ServiceUnavailable:  # the next time, then
                self._there_may_be_some.set()
            except Exception:
                _logger.exception("leases could not be looked at")
                self._there_may_be_some.set()
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

    async def _look(self) -> None:
        self._there_may_be_some.clear()
        expiry = await self._database.read(revisions.next_expiry)
        if expiry is None:
            return
        self._there_may_be_some.set()
        now = int(time.time())
        if expiry <= now:
            for switch in await self._database.write(revisions.restore_expired, now, _AT_ONCE):
                _logger.info("nobody serves %s any more", switch.after.agent_id)
                self._hosting.follow(switch)
