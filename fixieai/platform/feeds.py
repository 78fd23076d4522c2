"""What happens in sessions, for those who watch: new messages, and answers as they are written."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

from fixieai import errors
from fixieai.platform.runs import Event

_WATCHERS_PER_PERSON = 50


class Feed:
    """One watcher of one session. `has_messages` says that some were stored since it was last set back."""

    def __init__(self) -> None:
        self.has_messages = True
        self.partial: Event | None = None
        self.is_closed = False
        self._happened = asyncio.Event()

    def publish(self, event: Event | None) -> None:
        """None: a message was stored."""
        if event is not None and event.is_partial:
            self.partial = event
        else:
            self.partial = None
            self.has_messages = True
        self._happened.set()

    def close(self) -> None:
        self.is_closed = True
        self._happened.set()

    async def wait(self, seconds: float) -> bool:
        """Until something happens; False when nothing did in that time."""
        try:
            async with asyncio.timeout(seconds):  # unlike `wait_for` of Python 3.11 it heeds a cancellation
                await self._happened.wait()
        except TimeoutError:
            return False
        self._happened.clear()
        return True


class Feeds:
    """All feeds of the platform. A session that nobody watches costs nothing."""

    def __init__(self) -> None:
        self._feeds: dict[int, list[Feed]] = {}
        self._watchers: Counter[int] = Counter()
        self._is_closed = False

    @contextlib.contextmanager
    def watch(self, user_id: int, session_id: int) -> Iterator[Feed]:
        """Raises TooManyRequests when this person watches too many already."""
        if self._watchers[user_id] >= _WATCHERS_PER_PERSON:
            raise errors.TooManyRequests(f"You watch {_WATCHERS_PER_PERSON} sessions already.")
        feed = Feed()
        feed.is_closed = self._is_closed
        self._watchers[user_id] += 1
        self._feeds.setdefault(session_id, []).append(feed)
        try:
            yield feed
        finally:
            self._watchers[user_id] -= 1
            self._feeds[session_id].remove(feed)
            if not self._feeds[session_id]:
                del self._feeds[session_id]
            if not self._watchers[user_id]:
                del self._watchers[user_id]

    def publish(self, session_id: int, event: Event | None) -> None:
        for feed in self._feeds.get(session_id, ()):
            feed.publish(event)

    def watched(self) -> list[int]:
        """The ids of the sessions that somebody watches."""
        return list(self._feeds)

    def wake(self) -> None:
        """Messages may have been stored in any session."""
        for session_id in self._feeds:
            self.publish(session_id, None)

    def close(self) -> None:
        """Ends what is watched: the platform is about to stop. Watchers come back to the next one."""
        self._is_closed = True
        for feeds in self._feeds.values():
            for feed in feeds:
                feed.close()
