"""Server-sent events of OpenAI's API, passed on whole as they come, and what they say was used."""

import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST_EVENT = 4 * 1024 * 1024
_EVENT_END = re.compile(rb"\r?\n\r?\n")
# In JSON text a quote within a string is escaped, so that this is a key and nothing that somebody wrote.
_USAGE = re.compile(rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')
_FAILURE = re.compile(rb'"error"\s*:\s*[{"]')


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer tells of its cost: `usage`, or else about how many tokens were `written`."""

    usage: Mapping[str, Any] | None
    written: int
    has_failed: bool = False


def usage_in(body: bytes) -> Mapping[str, Any] | None:
    """The last `usage` object in JSON text, without reading the rest."""
    found = _USAGE.findall(body)
    try:
        return json.loads(found[-1]) if found else None
    except ValueError:
        return None


def has_failure(body: bytes) -> bool:
    """Whether an answer, or an event of one, tells of an error, in spite of its status 200."""
    return _FAILURE.search(body) is not None


def told(body: bytes) -> Told:
    """What a whole answer tells of its cost."""
    has_failed = has_failure(body)
    return Told(usage_in(body), 0 if has_failed else len(body) // 4, has_failed)


class EventRelay:
    """One stream of chat or completions, each event as `rewrite` makes it.

    `hides_usage`: the event that only tells of usage was not asked for, and is left out.
    """

    def __init__(self, *, hides_usage: bool, rewrite: Callable[[bytes], bytes] = lambda event: event) -> None:
        self._hides_usage = hides_usage
        self._rewrite = rewrite
        self._rest = b""
        self._written = 0
        self._usage: Mapping[str, Any] | None = None
        self.has_failed = False

    def told(self) -> Told:
        """So far. An event is about a token, where nothing better is known."""
        return Told(self._usage, self._written, self.has_failed)

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
            usage = self._usage_in(event)
            if usage is not None:
                self._usage = usage
                if self._hides_usage and _tells_nothing_else(event):
                    return b""
        if self._fails(event):
            self.has_failed = True
        elif self._writes(event):
            self._written += 1
        return self._rewrite(event)

    def _usage_in(self, event: bytes) -> Mapping[str, Any] | None:
        return usage_in(event)

    def _fails(self, event: bytes) -> bool:
        return has_failure(event)

    def _writes(self, event: bytes) -> bool:
        return True


def _tells_nothing_else(event: bytes) -> bool:
    try:
        return not json.loads(event.strip().removeprefix(b"data:")).get("choices")
    except (ValueError, AttributeError, RecursionError):
        return False
