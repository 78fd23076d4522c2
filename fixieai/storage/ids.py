"""Ids and listing cursors. An id is a number that grows with time and is never given out twice."""

import secrets
import threading
import time

from fixieai import errors

_RANDOM_BITS = 11
MAXIMUM = 2**63 - 1
_lock = threading.Lock()
_last = 0


def new_id() -> int:
    """Microseconds since 1970 with 11 random bits below them: 63 bits until the year 2112.

    New rows land at the end of their table, which is what makes an insert cheap. The random bits
    keep several platforms on one database apart.
    """
    global _last  # noqa: PLW0603 - one clock per process
    candidate = time.time_ns() // 1000 << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = max(_last + 1, candidate)
        return _last


def first_at(seconds: float) -> int:
    """No id given out since then (Unix seconds) is smaller."""
    return max(0, int(seconds * 1_000_000)) << _RANDOM_BITS


def cursor(after: str | None, start: int) -> int:
    """The id behind the cursor of a listing; `start` for its first page.

    Raises:
        UnprocessableContent: it is no cursor.
    """
    if after is None:
        return start
    if not (after.isascii() and after.isdecimal() and len(after) < 20 and int(after) <= MAXIMUM):
        raise errors.UnprocessableContent("after: not a cursor of this listing")
    return int(after)
