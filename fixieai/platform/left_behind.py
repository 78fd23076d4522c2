"""Queries that another process left behind, taken so that none of them is lost on the way."""

import asyncio

from fixieai.storage import queries
from fixieai.storage.database import Database
from fixieai.storage.queries import Unfinished


class LeftBehind:
    """What was found, until it is known to be taken.

    When the database goes away while it is taken, nobody knows whether it is. What was found then is
    taken again, also where it is this executor's by now: it was another's, and does not run here yet.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: set[int] = set()
        self._taking = asyncio.Lock()

    async def take(self, executor_id: str) -> list[Unfinished]:
        """Makes them the executor's, whose caller has to go on with all of them at once.

        Raises:
            ServiceUnavailable: the database is away. The next call takes what this one may have taken.
        """
        async with self._taking:
            self._found.update(await self._database.read(queries.left_behind))
            taken = []
            if self._found:
                taken = await self._database.write(queries.take, executor_id, sorted(self._found))
            self._found.clear()
        return taken
