"""The platform's own secret: encrypts what is stored for others, and signs what it gives out and gets back.

Each purpose has keys of its own, derived from the one secret (HKDF): what was encrypted or signed for
one is worth nothing for another.
"""

import base64
import binascii
import hashlib
import hmac
import os
import pathlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from fixieai import errors
from fixieai.platform import private_files

FILE_NAME = "secret_key"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "1."


class SecretKey:
    """Made of 32 random bytes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _KEY_BYTES:
            raise ValueError(f"a secret key has {_KEY_BYTES} bytes")
        self._secret = secret
        self._derived: dict[str, bytes] = {}

    def encrypt(self, purpose: str, text: str) -> str:
        """The text as printable ASCII that only `decrypt` for the same purpose can read; new each time."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._key(f"encrypt {purpose}")).encrypt(nonce, text.encode("utf-8"), None)
        return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def decrypt(self, purpose: str, text: str) -> str:
        """What was encrypted for that purpose.

        Raises:
            ConfigurationError: it was not encrypted for it with this key, or was changed since.
        """
        try:
            sealed = base64.urlsafe_b64decode(text.removeprefix(_VERSION))
            cipher = AESGCM(self._key(f"encrypt {purpose}"))
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode("utf-8")
        except (InvalidTag, ValueError) as error:
            raise errors.ConfigurationError(
                "What is stored was encrypted with another secret key. Bring back the one of that time: "
                f"the file {FILE_NAME} of the platform's folder, or FIXIE_SECRET_KEY."
            ) from error

    def mac(self, purpose: str, content: bytes) -> bytes:
        """32 bytes that only this key makes of the content. Compare them with `hmac.compare_digest`."""
        return hmac.digest(self._key(f"mac {purpose}"), content, hashlib.sha256)

    def _key(self, label: str) -> bytes:
        key = self._derived.get(label)
        if key is None:
            derivation = HKDFExpand(hashes.SHA256(), _KEY_BYTES, f"fixieai {label}".encode())
            key = self._derived[label] = derivation.derive(self._secret)
        return key


def load_or_create(home: pathlib.Path, given: str | None = None) -> SecretKey:
    """The secret that is `given` (the value of FIXIE_SECRET_KEY), or the one of a home, made on first use.

    Raises:
        ConfigurationError: it is not 32 bytes in base64, or the file can be read by others.
    """
    if given is not None:
        return _parse(given, "FIXIE_SECRET_KEY")
    path = home / FILE_NAME
    stored = private_files.read(path)
    if stored is None:
        stored = base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")
        private_files.write(path, f"{stored}\n")
    return _parse(stored, str(path))


def _parse(text: str, where: str) -> SecretKey:
    """The message never holds what should have been a key."""
    try:
        plain = text.strip().rstrip("=").translate(str.maketrans("+/", "-_"))
        return SecretKey(base64.b64decode(plain + "=" * (-len(plain) % 4), altchars="-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise errors.ConfigurationError(
            f"{where} is not a secret key: it must be 32 random bytes in base64, as "
            "`openssl rand -base64 32` prints them."
        ) from error
