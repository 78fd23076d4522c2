"""Server-sent events of OpenAI's API, passed on whole as they come, and what they say was used."""

import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_LONGEST_EVENT = 4 * 1024 * 1024
_EVENT_END = re.compile(rb"\r?\n\r?\n")
# In JSON text a quote within a string is escaped, so that this is a key and nothing that somebody wrote.
_USAGE = re.compile(rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')


def usage_in(body: bytes) -> Mapping[str, Any] | None:
    """The last `usage` object in JSON text, without reading the rest."""
    found = _USAGE.findall(body)
    try:
        return json.loads(found[-1]) if found else None
    except ValueError:
        return None


class EventRelay:
    """One stream, each event as `rewrite` makes it.

    `hides_usage`: the event that only tells of usage was not asked for, and is left out. `events`
    counts those passed on: about one for each token, where nothing better is known.
    """

    def __init__(self, *, hides_usage: bool, rewrite: Callable[[bytes], bytes] = lambda event: event) -> None:
        self._hides_usage = hides_usage
        self._rewrite = rewrite
        self._rest = b""
        self.events = 0
        self.usage: Mapping[str, Any] | None = None

    def feed(self, piece: bytes) -> bytes:
        """The events that end in this piece.

        Raises:
            ValueError: there is no end to an event.
        """
        searched = max(0, len(self._rest) - 3)  # an end may have begun in the piece before
        self._rest += piece
        ends = [match.end() for match in _EVENT_END.finditer(self._rest, searched)]
        events = [self._rest[start:end] for start, end in itertools.pairwise([0, *ends])]
        self._rest = self._rest[ends[-1] :] if ends else self._rest
        if len(self._rest) > _LONGEST_EVENT:
            raise ValueError("an event without end")
        return b"".join(map(self._event, events))

    def finish(self) -> bytes:
        """What came behind the last event that ended."""
        return self._event(self._rest) if self._rest else b""

    def _event(self, event: bytes) -> bytes:
        if b'"usage"' in event:
            usage = usage_in(event)
            if usage is not None:
                self.usage = usage
                if self._hides_usage and _tells_nothing_else(event):
                    return b""
        self.events += 1
        return self._rewrite(event)


def _tells_nothing_else(event: bytes) -> bool:
    try:
        return not json.loads(event.strip().removeprefix(b"data:")).get("choices")
    except (ValueError, AttributeError, RecursionError):
        return False
