"""How often somebody may try to sign in: a few times at once, then slower and slower.

Only the name that is tried counts, whether there is such a person or not. This process keeps the
counts, and forgets them when it ends.
"""

import time
from collections.abc import Callable

from fixieai import errors

FREE_ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 60.0
_FIRST_WAIT_SECONDS = 5.0
_FORGOTTEN_SECONDS = 3600.0
_MOST_NAMES = 10_000


class Attempts:
    """Counts of attempts that failed or are under way. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: dict[str, tuple[int, float]] = {}

    def begin(self, name: str) -> None:
        """Counts an attempt, before it is known whether it fails: those made at once count too.

        Raises:
            TooManyRequests: it comes too soon; an attempt that is refused does not count.
        """
        now = self._clock()
        count, last = self._made.pop(name, (0, now))
        if now - last > _FORGOTTEN_SECONDS:
            count = 0
        wait = last + _wait_after(count) - now
        if wait > 0:
            self._made[name] = count, last
            raise errors.TooManyRequests(
                f"Too many attempts to sign in as that person. Try again in {wait:.0f} s.", retry_after=wait
            )
        if len(self._made) >= _MOST_NAMES:
            self._made.pop(next(iter(self._made)))
        self._made[name] = count + 1, now

    def succeeded(self, name: str) -> None:
        self._made.pop(name, None)


def _wait_after(count: int) -> float:
    beyond = count - FREE_ATTEMPTS
    return 0.0 if beyond < 0 else min(_FIRST_WAIT_SECONDS * 2.0 ** min(beyond, 10), LONGEST_WAIT_SECONDS)
