"""The queue of each session: one query at a time, in order of arrival."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fixieai import errors


@dataclass(slots=True)
class Turn:
    """The queue of one session; asyncio's locks are fair."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    freed: asyncio.Event = field(default_factory=asyncio.Event)
    holders: int = 0


class Turns:
    """Queues that exist for as long as somebody waits in them. At most `waiting` wait in one."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._turns: dict[int, Turn] = {}

    def queue(self, session_id: int) -> Turn:
        """A place in the queue of a session, to be given to `taken`.

        Raises:
            Conflict: too many wait already.
        """
        turn = self._turns.setdefault(session_id, Turn())
        if turn.holders > self._waiting:
            raise errors.Conflict(
                f"{self._waiting} queries already wait in this session. Wait for an answer, or open another."
            )
        turn.holders += 1
        return turn

    def free(self, session_id: int) -> None:
        """A query of the session ended that had no place in its queue here."""
        if session_id in self._turns:
            self._turns[session_id].freed.set()

    async def until_free(self, session_id: int, seconds: float) -> None:
        """For whoever has the turn here, while such a query runs: until it ends, or for some seconds."""
        turn = self._turns[session_id]
        # Not `wait_for`: in Python 3.11 that takes no notice of being cancelled when the wait has just ended.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await turn.freed.wait()
        turn.freed.clear()

    @contextlib.asynccontextmanager
    async def taken(self, session_id: int, turn: Turn) -> AsyncIterator[None]:
        """Within the block it is this one's turn."""
        try:
            async with turn.lock:
                yield
        finally:
            turn.holders -= 1
            if turn.holders == 0:
                self._turns.pop(session_id, None)
