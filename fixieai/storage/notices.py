"""Short notices to the other processes on one database, so that what one stores another need not look for.

Notices only wake: what they tell of is stored already, or would not be missed. Each is sent at most
once, in order, to whoever listens at that moment.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

LONGEST = 7_900
"""Bytes of one notice."""


class Notices(Protocol):
    """The way to the other processes and from them."""

    def send(self, notice: str) -> None:
        """Sends it soon, and waits for nothing. It holds no NUL, and `LONGEST` bytes at most."""
        ...

    def exchanged(
        self, hear: Callable[[str], None], missed: Callable[[], None]
    ) -> AbstractAsyncContextManager[None]:
        """Within the block notices are sent, and `hear` is called with each that another process sends.

        `missed` is called once it listens, also after every outage: some may not have been heard.
        At the end of the block what was sent before is still delivered, where that is possible at once.
        """
        ...


class NoNotices:
    """Of a database that belongs to one process."""

    def send(self, notice: str) -> None:
        pass

    @contextlib.asynccontextmanager
    async def exchanged(
        self,
        hear: Callable[[str], None],
        missed: Callable[[], None],
    ) -> AsyncIterator[None]:
        yield
