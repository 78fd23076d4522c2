"""Addresses under which an embed can be fetched without a credential, for at most ten minutes.

    /attachment/{owner, embed and end, signed}

Within the platform an embed is named `embed:{id}`, which means nothing outside of it: what leaves
gets an address, and an address that comes back is known again.
"""

import base64
import binascii
import hmac
import re
import struct
import time
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform.secret_key import SecretKey

PATH = "/attachment/"
_SECONDS = 600
# Addresses of one minute are the same, so that a browser fetches a picture once.
_STEP_SECONDS = 60
_PURPOSE = "embed address"
_FIELDS = struct.Struct(">QQI")
_MAC_BYTES = 16
_TOKEN_LENGTH = 4 * (_FIELDS.size + _MAC_BYTES) // 3
_ADDRESS = re.compile(rf"https?://[^/?#]+{PATH}(?P<token>[\w-]{{{_TOKEN_LENGTH}}})")
_REFERENCE = re.compile(r"embed:(?P<id>\d{1,19})")


@dataclass(frozen=True, slots=True)
class Link:
    """What an address says. `ends` is in seconds since 1970."""

    owner_id: int
    embed_id: int
    ends: int

    @property
    def seconds_left(self) -> int:
        return max(0, self.ends - int(time.time()))


def reference(embed_id: int) -> str:
    return f"embed:{embed_id}"


def referred_id(uri: str) -> int | None:
    """The id of the embed that a reference names."""
    match = _REFERENCE.fullmatch(uri)
    return int(match["id"]) if match else None


class EmbedLinks:
    """Makes addresses, and reads those that it made."""

    def __init__(self, secret_key: SecretKey) -> None:
        self._secret_key = secret_key

    def path(self, owner_id: int, embed_id: int) -> str:
        ends = int(time.time()) // _STEP_SECONDS * _STEP_SECONDS + _SECONDS
        fields = _FIELDS.pack(owner_id, embed_id, ends)
        return PATH + base64.urlsafe_b64encode(fields + self._mac(fields)).decode("ascii")

    def read(self, token: str) -> Link:
        """What the last part of an address says.

        Raises:
            NotFound: it was not made here, or has ended.
        """
        link = self._verified(token)
        if link is None or link.seconds_left == 0:
            raise errors.NotFound("There is nothing here, or this address has ended: ask for a new one.")
        return link

    def recognized(self, uri: str) -> Link | None:
        """What an address of ours says, also when it has ended; None for any other."""
        match = _ADDRESS.match(uri)
        return self._verified(match["token"]) if match else None

    def _verified(self, token: str) -> Link | None:
        try:
            signed = base64.b64decode(token, altchars="-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        fields, mac = signed[: _FIELDS.size], signed[_FIELDS.size :]
        if len(signed) != _FIELDS.size + _MAC_BYTES or not hmac.compare_digest(self._mac(fields), mac):
            return None
        return Link(*_FIELDS.unpack(fields))

    def _mac(self, fields: bytes) -> bytes:
        return self._secret_key.mac(_PURPOSE, fields)[:_MAC_BYTES]
