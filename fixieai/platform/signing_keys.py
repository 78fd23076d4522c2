"""The platform's Ed25519 keys: one file in its home, readable by its owner alone, published as a JWKS."""

import base64
import json
import pathlib
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ed25519

from fixieai import errors
from fixieai.platform import private_files

FILE_NAME = "signing_keys.json"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the id it is published under."""

    kid: str
    private: ed25519.Ed25519PrivateKey

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


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """All keys that verify; the first one signs."""

    keys: tuple[SigningKey, ...]

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.public_jwk() for key in self.keys]}

    def sign(self, claims: dict[str, Any]) -> str:
        key = self.keys[0]
        return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})

    def verify(self, token: str, audience: str, required: list[str]) -> dict[str, Any]:
        """The claims of a token that this platform signed for `audience`.

        Raises:
            InvalidCredential: anything about it is wrong.
        """
        try:
            header = jwt.get_unverified_header(token)
            key = next(key for key in self.keys if key.kid == header.get("kid"))
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


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _create(path: pathlib.Path) -> SigningKeys:
    key = SigningKey(secrets.token_hex(8), ed25519.Ed25519PrivateKey.generate())
    stored = {"keys": [{"kid": key.kid, "d": _base64url(key.private.private_bytes_raw())}]}
    private_files.write(path, json.dumps(stored))
    return SigningKeys((key,))


def _parse(content: str) -> SigningKeys:
    keys = [
        SigningKey(
            str(stored["kid"]),
            ed25519.Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(stored["d"] + "==")),
        )
        for stored in json.loads(content)["keys"]
    ]
    if not keys:
        raise ValueError("no keys")
    return SigningKeys(tuple(keys))


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
        return _parse(content)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.ConfigurationError(
            f"{path} does not hold signing keys. Restore it from a backup, or remove it: "
            "a new key is made, and API keys given out before are no longer valid."
        ) from error
