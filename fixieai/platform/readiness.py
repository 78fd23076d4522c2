"""Whether this process should be sent requests: for load balancers, which ask every second or so."""

import asyncio

from fixieai import errors
from fixieai.storage.database import Database

_SECONDS = 2.0
DRAINING = "The platform is about to stop. Others go on."
NO_DATABASE = "The database does not answer."


class Readiness:
    """However often it is asked, the database is asked one question at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_draining = False
        self._asking: asyncio.Task[bool] | None = None

    def drain(self) -> None:
        """From now on it is not ready, until the end."""
        self._is_draining = True

    async def obstacle(self) -> str | None:
        """Why not; None when it is ready."""
        if self._is_draining:
            return DRAINING
        # One that hangs goes on: its answer, when it comes, is that of whoever waits then.
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._database_answers())
        try:
            answers = await asyncio.wait_for(asyncio.shield(self._asking), _SECONDS)
        except TimeoutError:
            return NO_DATABASE
        return None if answers else NO_DATABASE

    async def _database_answers(self) -> bool:
        try:
            await self._database.ask_whether_it_answers()
        except errors.FixieError:
            return False
        return True
