"""What one query may use in all, by whichever of its agents, and by their own calls through the proxy."""

import contextlib
from collections.abc import Iterator

from fixieai import errors


class Budget:
    """The tokens of one query that is under way."""

    __slots__ = ("_limit", "_used")

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._used = 0

    @property
    def reached(self) -> str | None:
        """Which limit is reached, for whoever asked; None where there is something left."""
        if self._limit is None or self._used < self._limit:
            return None
        return f"This query has used {self._used:,} tokens; {self._limit:,} is the limit for one query."

    def check(self) -> None:
        """Raises LimitReached when there is nothing left."""
        if (reached := self.reached) is not None:
            raise errors.LimitReached(reached)

    def spend(self, tokens: int) -> None:
        self._used += tokens


class Budgets:
    """The budgets of all queries that run: one in a session at a time, which their query tokens name."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._open: dict[tuple[int, str], Budget] = {}

    @contextlib.contextmanager
    def opened(self, user_id: int, session: str) -> Iterator[Budget]:
        """That of a query, for as long as it runs."""
        budget = self._open[user_id, session] = Budget(self._limit)
        try:
            yield budget
        finally:
            self._open.pop((user_id, session), None)

    def find(self, user_id: int, session: str) -> Budget | None:
        """None when no query of this session runs any more."""
        return self._open.get((user_id, session))
