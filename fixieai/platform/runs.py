"""One query under way: what has happened so far, for any number of readers, at any time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from fixieai import errors
from fixieai.protocol.embeds import Embed


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a query ended without a proper answer. `status` is the HTTP status of a plain request."""

    code: str
    message: str
    status: int
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def error(self) -> errors.FixieError:
        """As an error, for a query that was refused before it began."""
        error = errors.FixieError(self.message, retry_after=self.retry_after)
        error.code, error.status, error.headers = self.code, self.status, self.headers
        return error


@dataclass(frozen=True, slots=True)
class Event:
    """A stored message of the query, or (when `is_partial`) the answer as far as it is written.

    `sender` is "user" or the id of the agent. The last event of a run has `is_final` set. `query_id` is
    that of a partial answer.
    """

    type: str
    text: str
    sender: str
    embeds: Mapping[str, Embed] = field(default_factory=dict)
    model: str | None = None
    is_partial: bool = False
    is_final: bool = False
    failure: Failure | None = None
    query_id: int | None = None


class Run:
    """Keeps every stored message and only the newest partial answer: memory follows the answer's length.

    `query_id` is None until the question is stored. `on_event` hears of each event, too; of the question
    as None.
    """

    def __init__(self, session: str, on_event: Callable[[Event | None], None] = lambda _: None) -> None:
        self.session = session
        self.query_id: int | None = None
        self.is_cancelled = False
        self._on_event = on_event
        self._events: list[Event] = []
        self._partial: Event | None = None
        self._changed = asyncio.Event()
        self._number: int | None = None

    def begin(self, number: int) -> None:
        """The question is stored; it is the query of that number of the person's day."""
        self._number = number
        self._wake()
        self._on_event(None)

    async def begun(self) -> int:
        """The query's number on the person's day, once the question is stored.

        Raises:
            FixieError: it never was, with the reason.
        """
        while self._number is None:
            failure = self._events[-1].failure if self._events else None
            if failure is not None:
                raise failure.error()
            await self._changed.wait()
        return self._number

    @property
    def outcome(self) -> str | None:
        """The code of its failure; None while it goes on, and when it has its answer."""
        failure = self._events[-1].failure if self._events else None
        return failure.code if failure else None

    def publish(self, event: Event) -> None:
        """Shows the event to every reader; a partial answer takes the place of the one before."""
        if event.is_partial:
            self._partial = event
        else:
            self._partial = None
            self._events.append(event)
        self._wake()
        self._on_event(event)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self) -> AsyncIterator[Event]:
        """Every event from the first one, then each as it happens, to the final one."""
        position = 0
        shown: Event | None = None
        while True:
            changed = self._changed
            while position < len(self._events):
                event = self._events[position]
                position += 1
                yield event
                if event.is_final:
                    return
            partial = self._partial
            if partial is not None and partial is not shown:
                shown = partial
                yield partial
            await changed.wait()

    async def result(self) -> Event:
        """The final event."""
        while not (self._events and self._events[-1].is_final):
            await self._changed.wait()
        return self._events[-1]
