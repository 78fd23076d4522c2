"""How often somebody may try to sign in: a few times at once, then slower and slower.

Only the name that is tried counts, whether there is such a person or not, and at whichever platform
of a database it is tried. Names stand there as hashes, so that a long one takes no more room.
"""

import hashlib
import time
from collections.abc import Callable

from fixieai import errors
from fixieai.storage import sign_in_attempts
from fixieai.storage.database import Database

FREE_ATTEMPTS = sign_in_attempts.OFTEN
LONGEST_WAIT_SECONDS = 60.0
_FIRST_WAIT_SECONDS = 5.0
_FORGOTTEN_SECONDS = 3600.0


class Attempts:
    """Counts of attempts that failed or are under way. `clock` gives Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, name: str) -> None:
        """Counts an attempt, before it is known whether it fails: those made at once count too.

        Raises:
            TooManyRequests: it comes too soon; an attempt that is refused does not count.
        """
        now = self._clock()
        forgotten = now - _FORGOTTEN_SECONDS
        milliseconds = await self._database.write(
            sign_in_attempts.begin, _hash(name), int(now * 1000), int(forgotten * 1000), _wait_after
        )
        if milliseconds:
            wait = milliseconds / 1000
            raise errors.TooManyRequests(
                f"Too many attempts to sign in as that person. Try again in {wait:.0f} s.", retry_after=wait
            )

    async def succeeded(self, name: str) -> None:
        await self._database.write(sign_in_attempts.forget, _hash(name))


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _wait_after(count: int) -> int:
    """In milliseconds."""
    beyond = count - FREE_ATTEMPTS
    seconds = 0.0 if beyond < 0 else min(_FIRST_WAIT_SECONDS * 2.0 ** min(beyond, 10), LONGEST_WAIT_SECONDS)
    return int(seconds * 1000)
