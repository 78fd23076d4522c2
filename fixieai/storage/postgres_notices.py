"""LISTEN and NOTIFY: one connection that listens, and one that sends what has gathered.

Notices are sent after the commit of what they tell of, and not in its transaction: Postgres commits
transactions that notify one after the other, each with its own wait for the disk (with 16 writers a
third of the commits remained; sent like this, nearly all).
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg

from fixieai.storage import postgres_connection, postgres_errors

_CHANNEL = "fixie"
_SEND = "SELECT pg_notify(%s, notice) FROM unnest(%s::text[]) AS notice"
# For the time of an outage, after which everybody looks for what was missed anyway.
_MOST_UNSENT = 10_000
_PAUSE_SECONDS = 0.2
# What is told soon after something else is sent together: it costs everybody as much as one notice.
_GATHERING_SECONDS = 0.005
_LAST_SECONDS = 1.0
_logger = logging.getLogger("fixieai.storage")


class PostgresNotices:
    """A process does not hear what it sent itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sender = secrets.token_hex(4)
        self._unsent: deque[str] = deque()
        self._has_unsent = asyncio.Event()
        self._is_sent = asyncio.Event()
        self._is_sent.set()
        self._refusal: str | None = None

    def send(self, notice: str) -> None:
        if len(self._unsent) < _MOST_UNSENT:
            self._unsent.append(f"{self._sender} {notice}")
        self._is_sent.clear()
        self._has_unsent.set()

    @contextlib.asynccontextmanager
    async def exchanged(self, hear: Callable[[str], None], missed: Callable[[], None]) -> AsyncIterator[None]:
        async def listen(connection: psycopg.AsyncConnection[Any]) -> None:
            await self._listen(connection, hear, missed)

        tasks = [asyncio.create_task(self._connected(work)) for work in (listen, self._send)]
        try:
            yield
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._is_sent.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _connected(self, work: Callable[[psycopg.AsyncConnection[Any]], Any]) -> None:
        """Does the work for ever, on a new connection whenever the one before is lost."""
        while True:
            try:
                async with await postgres_connection.connect_async(self._url) as connection:
                    self._refusal = None
                    await work(connection)
            except psycopg.Error as error:
                _logger.debug("the connection for notices is opened again: %s", type(error).__name__)
                self._tell_of(postgres_errors.refusal(error))
            except Exception:
                _logger.exception("notices of other processes are heard and sent on a new connection")
            await asyncio.sleep(_PAUSE_SECONDS)

    def _tell_of(self, refusal: str | None) -> None:
        """To the owner's log, once: requests only learn that the database cannot be reached."""
        if refusal is not None and refusal != self._refusal:
            self._refusal = refusal
            _logger.error("the database server refuses what FIXIE_DATABASE_URL says: %s", refusal)

    async def _listen(
        self,
        connection: psycopg.AsyncConnection[Any],
        hear: Callable[[str], None],
        missed: Callable[[], None],
    ) -> None:
        await connection.execute(f"LISTEN {_CHANNEL}")
        missed()
        async for notice in connection.notifies():
            sender, _, text = notice.payload.partition(" ")
            if sender != self._sender:
                hear(text)

    async def _send(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            gathered = list(self._unsent)
            self._unsent.clear()
            try:
                await connection.execute(_SEND, (_CHANNEL, gathered))
            except psycopg.OperationalError:
                self._unsent.extendleft(reversed(gathered))
                self._has_unsent.set()
                raise
            if not self._unsent:
                self._is_sent.set()
            await asyncio.sleep(_GATHERING_SECONDS)
