"""What one query may use in all, by whichever of its agents, and by their own calls through the proxy."""

import contextlib
from collections.abc import Callable, Iterator

from fixieai import errors
from fixieai.storage import usage
from fixieai.storage.database import Database


class Budget:
    """The tokens of one query that is under way.

    `stored` gives those that the database knows of: calls through another process are among them, and
    the newest calls through this one may not be yet.
    """

    __slots__ = ("_limit", "_stored", "_used")

    def __init__(self, limit: int | None, stored: Callable[[], int]) -> None:
        self._limit = limit
        self._stored = stored
        self._used = stored()

    @property
    def reached(self) -> str | None:
        """Which limit is reached, for whoever asked; None where there is something left."""
        used = max(self._used, self._stored())
        if self._limit is None or used < self._limit:
            return None
        return f"This query has used {used:,} tokens; {self._limit:,} is the limit for one query."

    def check(self) -> None:
        """Raises LimitReached when there is nothing left."""
        if (reached := self.reached) is not None:
            raise errors.LimitReached(reached)

    def spend(self, tokens: int) -> None:
        self._used += tokens


class Budgets:
    """The budgets of all queries that run: one in a session at a time, which their query tokens name."""

    def __init__(self, limit: int | None, database: Database) -> None:
        self._limit = limit
        self._database = database
        self._open: dict[tuple[int, str], Budget] = {}

    @contextlib.contextmanager
    def opened(self, user_id: int, session: str, stored: Callable[[], int]) -> Iterator[Budget]:
        """That of a query, for as long as it runs here. `stored`: see `Budget`."""
        budget = self._open[user_id, session] = Budget(self._limit, stored)
        try:
            yield budget
        finally:
            self._open.pop((user_id, session), None)

    async def find(self, user_id: int, session: str) -> Budget | None:
        """None when no query of this session runs any more, here or in another process."""
        here = self._open.get((user_id, session))
        if here is not None:
            return here
        stored = await self._database.read(usage.of_session, user_id, session)
        return None if stored is None else Budget(self._limit, lambda: stored)
