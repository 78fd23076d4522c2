"""Between the feeds of this process and those of the other processes on its database.

What happens here is told to the others once it is stored, and wakes who watches or waits there. An
answer that is being written goes only where somebody watches its session; who watches what, each
process says when that begins, when another asks, and every few seconds.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from fixieai import errors
from fixieai.platform.feeds import Feed, Feeds
from fixieai.platform.runs import Event
from fixieai.protocol.transcript import LineKind
from fixieai.storage.notices import LONGEST, NoNotices, Notices

_WATCHED_SECONDS = 15.0
_FORGOTTEN_SECONDS = 2.5 * _WATCHED_SECONDS
_SESSIONS_PER_NOTICE = 300
_logger = logging.getLogger("fixieai.platform")


class Queries(Protocol):
    """The queries of this process, as others speak of them."""

    def cancel_here(self, query_ids: set[int]) -> None:
        """Ends those of them that run here."""
        ...

    def free(self, session_id: int) -> None:
        """A query of the session ended: whoever waits for its turn here may try."""
        ...

    async def take_over(self) -> None:
        """Goes on with every query whose executor is no longer there."""
        ...


class Relay:
    """Tells others what happened here, and the feeds and queries here what happened elsewhere."""

    def __init__(self, notices: Notices, feeds: Feeds, queries: Queries) -> None:
        self._notices = notices
        self._has_others = not isinstance(notices, NoNotices)
        self._feeds = feeds
        self._queries = queries
        self._watched_elsewhere: dict[int, float] = {}
        self._taking_over: asyncio.Task[None] | None = None
        # Of a kind that is not among these (a newer program's) nothing follows.
        self._kinds: dict[str, Callable[..., None]] = {
            "stored": self._hear_stored,
            "ended": self._hear_ended,
            "partial": self._hear_partial,
            "cancelled": self._hear_cancelled,
            "watched": self._hear_watched,
            "who watches": self._tell_watched,
            "left": self._hear_left,
        }

    @contextlib.contextmanager
    def watch(self, user_id: int, session_id: int) -> Iterator[Feed]:
        """Raises TooManyRequests when this person watches too many already."""
        with self._feeds.watch(user_id, session_id) as feed:
            self._tell("watched", [session_id])
            yield feed

    def publish(self, session_id: int, event: Event | None) -> None:
        """An event of a query that runs here; None: a message was stored, or the session is gone."""
        self._feeds.publish(session_id, event)
        if event is not None and event.is_partial:
            if self._watched_elsewhere.get(session_id, 0) > time.monotonic():
                self._tell("partial", session_id, event.query_id, event.text, event.sender, event.model)
        elif event is not None and event.is_final:
            self._queries.free(session_id)
            self._tell("ended", session_id)
        else:
            self._tell("stored", session_id)

    def tell_cancelled(self, query_id: int) -> None:
        """Somebody wants the query ended, wherever it runs."""
        self._tell("cancelled", query_id)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Within the block this process and the others hear of each other; at its end, that it left."""
        async with self._notices.exchanged(self._hear, self._missed):
            telling = asyncio.create_task(self._tell_watched_for_ever())
            try:
                yield
            finally:
                telling.cancel()
                if self._taking_over is not None:
                    self._taking_over.cancel()
                self._tell("left")

    def _tell(self, kind: str, *values: Any) -> None:
        """What is too long for a notice is a partial answer: others see it when it is whole."""
        if not self._has_others:
            return
        notice = json.dumps((kind, *values), ensure_ascii=False).encode("utf-8", "replace")
        if len(notice) <= LONGEST:
            self._notices.send(notice.decode("utf-8"))

    def _missed(self) -> None:
        self._feeds.wake()
        self._tell("who watches")
        self._tell_watched()

    def _hear(self, notice: str) -> None:
        try:
            kind, *values = json.loads(notice)
            self._kinds[kind](*values)
        except (ValueError, TypeError, KeyError, RecursionError):
            _logger.debug("a notice of another process is of no known kind")

    def _hear_stored(self, session_id: int) -> None:
        self._feeds.publish(session_id, None)

    def _hear_ended(self, session_id: int) -> None:
        self._feeds.publish(session_id, None)
        self._queries.free(session_id)

    def _hear_partial(
        self, session_id: int, query_id: int, text: str, sender: str, model: str | None
    ) -> None:
        event = Event(LineKind.RESPONSE, text, sender, model=model, is_partial=True, query_id=query_id)
        self._feeds.publish(session_id, event)

    def _hear_cancelled(self, query_id: int) -> None:
        self._queries.cancel_here({query_id})

    def _hear_watched(self, session_ids: list[int]) -> None:
        until = time.monotonic() + _FORGOTTEN_SECONDS
        self._watched_elsewhere.update(dict.fromkeys(session_ids, until))

    def _hear_left(self) -> None:
        """What another process leaves behind is gone on with at once, not only at the next beat."""
        if self._taking_over is None or self._taking_over.done():
            self._taking_over = asyncio.create_task(self._take_over())

    async def _take_over(self) -> None:
        """What fails now is tried again with the next beat."""
        try:
            await self._queries.take_over()
        except errors.ServiceUnavailable:
            return
        except Exception:
            _logger.exception("what another process left could not be taken over")

    def _tell_watched(self) -> None:
        watched = self._feeds.watched()
        for first in range(0, len(watched), _SESSIONS_PER_NOTICE):
            self._tell("watched", watched[first : first + _SESSIONS_PER_NOTICE])

    async def _tell_watched_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_WATCHED_SECONDS)
            self._tell_watched()
            now = time.monotonic()
            self._watched_elsewhere = {
                session_id: until for session_id, until in self._watched_elsewhere.items() if until > now
            }
