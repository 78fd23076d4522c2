"""The platform's Ed25519 keys: one file in its home, readable by its owner alone, published as a JWKS."""

import base64
import json
import math
import pathlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


class SigningKeys:
    """The keys of a home, the newest first.

    A new key is published at once and signs five minutes later, when every agent has seen it. The
    one before it goes on verifying API keys. What lives for minutes, as query tokens do, is taken
    from it for one more hour, and so long it stays published.
    """

    def __init__(
        self, keys: Sequence[SigningKey], path: pathlib.Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = tuple(sorted(keys, key=lambda key: -key.signs_from))
        self._path = path
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

    def rotate(self) -> SigningKey:
        """A new key, stored and published now, which signs in five minutes.

        Raises:
            StorageFull, ConfigurationError: it cannot be stored; nothing has changed.
        """
        key = _new_key(math.ceil(self._clock()) + PUBLISHED_SECONDS)
        keys = (key, *self._keys)
        _write(self._path, keys)
        self._keys = keys
        return key

    def _published(self) -> list[SigningKey]:
        """All keys but those whose successor has signed for an hour."""
        since = self._clock() - _RETIRED_SECONDS
        superseded = [math.inf, *(key.signs_from for key in self._keys)]
        return [key for key, until in zip(self._keys, superseded, strict=False) if until > since]


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _new_key(signs_from: int) -> SigningKey:
    return SigningKey(secrets.token_hex(8), ed25519.Ed25519PrivateKey.generate(), signs_from)


def _write(path: pathlib.Path, keys: Sequence[SigningKey]) -> None:
    private_files.write(path, json.dumps({"keys": [key.stored() for key in keys]}))


def _create(path: pathlib.Path) -> SigningKeys:
    keys = [_new_key(0)]
    _write(path, keys)
    return SigningKeys(keys, path)


def _parse(content: str, path: pathlib.Path) -> SigningKeys:
    keys = [
        SigningKey(
            str(stored["kid"]),
            ed25519.Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(stored["d"] + "==")),
            int(stored.get("signsFrom", 0)),
        )
        for stored in json.loads(content)["keys"]
    ]
    if not keys:
        raise ValueError("no keys")
    return SigningKeys(keys, path)


def load_or_create(home: pathlib.Path) -> SigningKeys:
    """The keys of a home, made on first use.

    Raises:
        ConfigurationError: the file is unreadable, readable by others, or not what this program wrote.
    """
    path = home / FILE_NAME
    content = private_files.read(path)
    if content is None:
        return _create(path)
    try:
        return _parse(content, path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.ConfigurationError(
            f"{path} does not hold signing keys. Restore it from a backup, or remove it: "
            "a new key is made, and API keys given out before are no longer valid."
        ) from error
