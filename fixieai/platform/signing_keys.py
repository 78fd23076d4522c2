"""The platform's Ed25519 keys, published as a JWKS: one file in its home, readable by its owner alone.

Platforms that share a database keep them there instead (`shared_keys`).
"""

import base64
import json
import math
import pathlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ed25519

from fixieai import errors
from fixieai.platform import private_files

FILE_NAME = "signing_keys.json"
# As long as agents keep the published keys before they ask again.
PUBLISHED_SECONDS = 300
_RETIRED_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the id it is published under, and when it begins to sign (Unix seconds)."""

    kid: str
    private: ed25519.Ed25519PrivateKey
    signs_from: int = 0

    def public_jwk(self) -> dict[str, str]:
        raw = self.private.public_key().public_bytes_raw()
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": _base64url(raw),
            "kid": self.kid,
            "use": "sig",
            "alg": "EdDSA",
        }

    def stored(self) -> dict[str, str | int]:
        private = _base64url(self.private.private_bytes_raw())
        return {"kid": self.kid, "d": private, "signsFrom": self.signs_from}


class KeyStore(Protocol):
    """Where keys are kept. `delay_seconds`: how long after `add` somebody may not have loaded the key yet."""

    delay_seconds: int

    async def load(self) -> Sequence[SigningKey]: ...

    async def add(self, key: SigningKey) -> None:
        """Raises StorageFull, ServiceUnavailable, ConfigurationError: it is not stored."""
        ...


class SigningKeys:
    """All keys of a platform, the newest first.

    A new key is published at once and signs five minutes later, when every agent has seen it. The
    one before it goes on verifying API keys. What lives for minutes, as query tokens do, is taken
    from it for one more hour, and so long it stays published.
    """

    def __init__(
        self, keys: Sequence[SigningKey], store: KeyStore, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = _newest_first(keys)
        self._store = store
        self._clock = clock

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.public_jwk() for key in self._published()]}

    def sign(self, claims: dict[str, Any]) -> str:
        now = self._clock()
        key = next((key for key in self._keys if key.signs_from <= now), self._keys[-1])
        return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})

    def verify(
        self, token: str, audience: str, required: list[str], *, is_short_lived: bool = False
    ) -> dict[str, Any]:
        """The claims of a token that this platform signed for `audience`.

        Raises:
            InvalidCredential: anything about it is wrong.
        """
        try:
            header = jwt.get_unverified_header(token)
            known = self._published() if is_short_lived else self._keys
            key = next(key for key in known if key.kid == header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=["EdDSA"],
                audience=audience,
                options={"require": required},
                leeway=60,
            )
        except (jwt.PyJWTError, StopIteration, ValueError, TypeError) as error:
            raise errors.InvalidCredential from error
        return claims

    async def rotate(self) -> SigningKey:
        """A new key, stored and published now, which signs in five minutes.

        Raises:
            StorageFull, ServiceUnavailable, ConfigurationError: it cannot be stored; nothing has changed.
        """
        key = new_key(math.ceil(self._clock()) + PUBLISHED_SECONDS + self._store.delay_seconds)
        await self._store.add(key)
        self._keys = _newest_first((key, *self._keys))
        return key

    async def reload(self) -> None:
        """Learns of keys that another platform made. Raises ServiceUnavailable, ConfigurationError."""
        before = self._keys
        found = await self._store.load()
        if self._keys is before:  # else one was made here meanwhile, which may not be among them
            self._keys = _newest_first(found)

    def _published(self) -> list[SigningKey]:
        """All keys but those whose successor has signed for an hour."""
        since = self._clock() - _RETIRED_SECONDS
        superseded = [math.inf, *(key.signs_from for key in self._keys)]
        return [key for key, until in zip(self._keys, superseded, strict=False) if until > since]


class KeyFile:
    """The keys of one home, which no other platform uses."""

    delay_seconds = 0

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    async def load(self) -> Sequence[SigningKey]:
        return read(self._path)

    async def add(self, key: SigningKey) -> None:
        _write(self._path, (key, *read(self._path)))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _newest_first(keys: Sequence[SigningKey]) -> tuple[SigningKey, ...]:
    return tuple(sorted(keys, key=lambda key: (-key.signs_from, key.kid)))


def new_key(signs_from: int) -> SigningKey:
    return SigningKey(secrets.token_hex(8), ed25519.Ed25519PrivateKey.generate(), signs_from)


def text(key: SigningKey) -> str:
    """The private key and all that belongs to it, as JSON."""
    return json.dumps(key.stored())


def from_text(stored: str) -> SigningKey:
    """Of what `text` gave."""
    return _from_stored(json.loads(stored))


def _from_stored(stored: dict[str, Any]) -> SigningKey:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(stored["d"] + "=="))
    return SigningKey(str(stored["kid"]), private, int(stored.get("signsFrom", 0)))


def _write(path: pathlib.Path, keys: Sequence[SigningKey]) -> None:
    private_files.write(path, json.dumps({"keys": [key.stored() for key in keys]}))


def _parse(content: str) -> list[SigningKey]:
    keys = [_from_stored(stored) for stored in json.loads(content)["keys"]]
    if not keys:
        raise ValueError("no keys")
    return keys


def load_or_create(home: pathlib.Path) -> SigningKeys:
    """The keys of a home, made on first use.

    Raises:
        ConfigurationError: the file is unreadable, readable by others, or not what this program wrote.
    """
    path = home / FILE_NAME
    keys = read(path)
    if not keys:
        keys = [new_key(0)]
        _write(path, keys)
    return SigningKeys(keys, KeyFile(path))


def read(path: pathlib.Path) -> list[SigningKey]:
    """The keys in a file; none when there is no file. Raises ConfigurationError as `load_or_create`."""
    content = private_files.read(path)
    if content is None:
        return []
    try:
        return _parse(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.ConfigurationError(
            f"{path} does not hold signing keys. Restore it from a backup, or remove it: "
            "a new key is made, and API keys given out before are no longer valid."
        ) from error
