"""One-time codes that open the web page: a terminal asks for one, the page exchanges it for a key that ends.

A code may stand in an address (in its fragment, which browsers never send): it is worth nothing after
its first use or 15 minutes. This process keeps the hashes of codes alone, and loses them when it ends.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform.auth import Caller

CODE_SECONDS = 15 * 60
_MOST_CODES = 100
_CODE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Grant:
    """The API key that a code stands for, by its id."""

    username: str
    key_id: str


class BrowserCodes:
    """Codes that were given out and not used yet: 100 at most, the oldest makes room.

    `clock` gives seconds. It goes on while the machine sleeps, as the lifetime of a code should.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._grants: dict[bytes, tuple[Grant, float]] = {}

    def create(self, caller: Caller) -> str:
        """A code of 256 bits for the key that the caller showed.

        Raises:
            Forbidden: that key is a web page's own, which would so live for ever.
        """
        if caller.key_id is None:
            raise errors.Forbidden(
                "A web page's key opens no other page. Use an API key: `fixie platform key`."
            )
        while len(self._grants) >= _MOST_CODES:
            self._grants.pop(next(iter(self._grants)))
        code = secrets.token_urlsafe(_CODE_BYTES)
        self._grants[_digest(code)] = Grant(caller.username, caller.key_id), self._clock() + CODE_SECONDS
        return code

    def redeem(self, code: str) -> Grant:
        """What the code stands for; from now on it is worth nothing.

        It is found by its hash, so the time that takes tells nothing about codes that are good.

        Raises:
            Forbidden: it was used, is too old, or never was one.
        """
        grant, expires = self._grants.pop(_digest(code), (None, 0.0))
        if grant is None or self._clock() > expires:
            raise errors.Forbidden("This link was used before, or is older than 15 minutes.")
        return grant


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8")).digest()
