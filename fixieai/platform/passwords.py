"""What a password must be, and its hash: scrypt, which takes 32 MiB and a fifth of a second each time."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata

from fixieai import errors

SHORTEST = 10
LONGEST = 256
_LOG_N, _R, _P = 15, 8, 3
_SALT_BYTES = 16
_HASH_BYTES = 32
# Whoever floods this takes one processor and no more.
_AT_ONCE = 1
_MOST_WAITING = 25


def check(password: str, username: str) -> None:
    """Raises UnprocessableContent when nobody should use that password."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise errors.UnprocessableContent(f"A password has {SHORTEST} to {LONGEST} characters.")
    if len(set(password)) < 4 or not password.casefold().replace(username, ""):
        raise errors.UnprocessableContent("This password is too easy to guess.")


def hash_of_code(code: str) -> str:
    """What is stored of a code of 256 bits, which nobody guesses however fast the hash is."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


class Hashing:
    """In threads, and only so many at once: the rest of the platform goes on meanwhile."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """The hash to store, with its own salt and parameters."""
        salt = secrets.token_bytes(_SALT_BYTES)
        key = await self._derived(password, salt, (_LOG_N, _R, _P))
        return _stored(salt, key)

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Whether the stored hash is of this password; takes as long when there is none.

        Raises:
            TooManyRequests: too many wait to have theirs looked at.
        """
        kind, log_n, r, p, salt, key = (stored or _NOBODYS).split(":")
        if kind != "scrypt":
            raise errors.ConfigurationError("A newer version of fixieai made the hash of this password.")
        derived = await self._derived(password, base64.b64decode(salt), (int(log_n), int(r), int(p)))
        return hmac.compare_digest(derived, base64.b64decode(key)) and stored is not None

    async def _derived(self, password: str, salt: bytes, costs: tuple[int, int, int]) -> bytes:
        if self._waiting >= _MOST_WAITING:
            raise errors.TooManyRequests("Many people sign in at this moment. Try again.", retry_after=5)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(_derive, password, salt, costs)
        finally:
            self._waiting -= 1


def _derive(password: str, salt: bytes, costs: tuple[int, int, int]) -> bytes:
    log_n, r, p = costs
    # The same characters may be typed in several ways.
    plain = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    n = 1 << log_n
    return hashlib.scrypt(plain, salt=salt, n=n, r=r, p=p, maxmem=256 * r * n, dklen=_HASH_BYTES)


def _stored(salt: bytes, key: bytes) -> str:
    texts = (base64.b64encode(raw).decode("ascii") for raw in (salt, key))
    return ":".join(["scrypt", str(_LOG_N), str(_R), str(_P), *texts])


_NOBODYS = _stored(bytes(_SALT_BYTES), bytes(_HASH_BYTES))
