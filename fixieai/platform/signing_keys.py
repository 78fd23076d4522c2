"""The platform's Ed25519 keys: one file in its home, readable by its owner alone, published as a JWKS."""

import base64
import json
import os
import pathlib
import secrets
import stat
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ed25519

from fixieai import errors
from fixieai.storage import sqlite_errors

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


def write_private_file(path: pathlib.Path, content: str) -> None:
    """Writes a file that is 0600 from its creation and appears whole or not at all.

    Raises:
        StorageFull, ConfigurationError: it cannot be written; the message names the file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise sqlite_errors.explain(error, path) from error


def read_private_file(path: pathlib.Path) -> str | None:
    """The content, or None when there is no such file.

    Raises:
        ConfigurationError: it cannot be read, or others on this machine can read it.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise errors.ConfigurationError(
                f"{path} holds a secret and can be read by others on this machine. Run: chmod 600 {path}"
            )
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise errors.ConfigurationError(f"cannot read {path}: {error}") from error


def _create(path: pathlib.Path) -> SigningKeys:
    key = SigningKey(secrets.token_hex(8), ed25519.Ed25519PrivateKey.generate())
    stored = {"keys": [{"kid": key.kid, "d": _base64url(key.private.private_bytes_raw())}]}
    write_private_file(path, json.dumps(stored))
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
    content = read_private_file(path)
    if content is None:
        return _create(path)
    try:
        return _parse(content)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.ConfigurationError(
            f"{path} does not hold signing keys. Restore it from a backup, or remove it: "
            "a new key is made, and API keys given out before are no longer valid."
        ) from error
