"""One query under way: what has happened so far, for any number of readers, at any time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from fixieai.protocol.embeds import Embed
from fixieai.protocol.transcript import LineKind


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a query ended without a proper answer. `status` is the HTTP status of a plain request."""

    code: str
    message: str
    status: int
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A stored message of the query, or (when `is_partial`) the answer as far as it is written.

    `sender` is "user" or the id of the agent. The last event of a run has `is_final` set.
    """

    type: str
    text: str
    sender: str
    embeds: Mapping[str, Embed] = field(default_factory=dict)
    model: str | None = None
    is_partial: bool = False
    is_final: bool = False
    failure: Failure | None = None


class Run:
    """Keeps every stored message and only the newest partial answer: memory follows the answer's length."""

    def __init__(self, session: str) -> None:
        self.session = session
        self._events: list[Event] = []
        self._partial: Event | None = None
        self._changed = asyncio.Event()

    def publish(self, event: Event) -> None:
        if event.is_partial:
            self._partial = event
        else:
            self._partial = None
            self._events.append(event)
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


def partial_answer(text: str, sender: str, model: str) -> Event:
    return Event(LineKind.RESPONSE, text, sender, model=model, is_partial=True)
