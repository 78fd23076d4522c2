"""Bytes, stored once under the SHA-256 of what they are; they are never changed, only deleted.

    blobs = open_blobs(home / "blobs", os.environ).area("embeds")
    content_hash = await blobs.put(b"...")       # 64 hexadecimal digits
    assert await blobs.get(content_hash) == b"..."

They are in a folder or in a bucket of an S3-compatible service. Each area has its own: what one
deletes, another keeps. Who may read what, and what nobody needs any more, the database knows.
"""

import asyncio
import hashlib
import math
import pathlib
import re
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from fixieai import errors
from fixieai.storage.blob_bucket import BlobBucket
from fixieai.storage.blob_folder import BlobFolder
from fixieai.storage.telling import Tell, as_it_is, told

BLOB_VARIABLES = (
    "FIXIE_BLOBS_URL",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
_HASH = re.compile(r"[0-9a-f]{64}")
_AREA = re.compile(r"[a-z]+")
_SLICE = 250


@dataclass(frozen=True, slots=True)
class Listed:
    """A stored blob. `modified` is when it was written, in Unix seconds."""

    content_hash: str
    size: int
    modified: float


class BlobStore(Protocol):
    """Where blobs are: a name is `area/aa/rest`. Writing the same name again is harmless."""

    async def write(self, name: str, content: bytes | pathlib.Path) -> None:
        """When it returns, all of the content is stored; when it fails, nothing is."""
        ...

    def read(self, name: str) -> AsyncIterator[bytes]:
        """The content in pieces. Raises FileNotFoundError."""
        ...

    async def remove(self, name: str) -> None:
        """Removes it, if it is there."""
        ...

    async def has(self, name: str) -> bool: ...

    def listing(self, area: str) -> AsyncIterator[tuple[str, int, float]]:
        """The name of everything in an area, its bytes, and when it was written (Unix seconds)."""
        ...


class Blobs:
    """One area of a store. Every method raises ServiceUnavailable, StorageFull or ConfigurationError when
    the store fails, and ValueError for what is no hash."""

    def __init__(self, store: BlobStore, area: str, tell: Tell = as_it_is) -> None:
        if not _AREA.fullmatch(area):
            raise ValueError(f"an area is named by a word in lower case, not {area!r}")
        self._store = store
        self._area = area
        self.tell = tell

    def area(self, name: str) -> "Blobs":
        """Another area of the same store."""
        return Blobs(self._store, name, self.tell)

    async def put(self, content: bytes | pathlib.Path) -> str:
        """Stores bytes, or a copy of a file, unless they are there already; returns their hash."""
        content_hash = await asyncio.to_thread(_hash, content)
        name = self._name(content_hash)
        with told(self.tell):
            if not await self._store.has(name):
                await self._store.write(name, content)
        return content_hash

    async def get(self, content_hash: str) -> bytes:
        """All of it, compared with its hash.

        Raises:
            NotFound: there is none.
        """
        content = b"".join([piece async for piece in self.stream(content_hash)])
        if await asyncio.to_thread(_hash, content) != content_hash:
            raise errors.ServiceUnavailable(f"The stored file {self._name(content_hash)} is damaged.")
        return content

    async def stream(self, content_hash: str) -> AsyncIterator[bytes]:
        """As `get`, in pieces, and not compared.

        Raises:
            NotFound: there is none; raised before the first piece.
        """
        try:
            with told(self.tell):
                async for piece in self._store.read(self._name(content_hash)):
                    yield piece
        except FileNotFoundError:
            raise errors.NotFound("These bytes are no longer stored.") from None

    async def delete(self, content_hash: str) -> None:
        with told(self.tell):
            await self._store.remove(self._name(content_hash))

    async def exists(self, content_hash: str) -> bool:
        return await self._store.has(self._name(content_hash))

    async def listing(self) -> AsyncIterator[Listed]:
        """Everything in this area, in any order. What is written or deleted meanwhile may be left out."""
        async for name, size, modified in self._store.listing(self._area):
            content_hash = "".join(name.split("/")[1:])
            if _HASH.fullmatch(content_hash):
                yield Listed(content_hash, size, modified)

    async def slices(self, until: float = math.inf) -> AsyncIterator[dict[str, int]]:
        """The size of what was written before `until` (Unix seconds), by its hash, 250 at a time.

        The empty blob, which is always there, is left out.
        """
        found: dict[str, int] = {}
        async for each in self.listing():
            if each.size and each.modified < until:
                found[each.content_hash] = each.size
            if len(found) == _SLICE:
                yield found
                found = {}
        if found:
            yield found

    def _name(self, content_hash: str) -> str:
        if not _HASH.fullmatch(content_hash):
            raise ValueError("not a SHA-256 in hexadecimal digits")
        return f"{self._area}/{content_hash[:2]}/{content_hash[2:]}"


def open_blobs(folder: pathlib.Path, environment: Mapping[str, str]) -> Blobs:
    """The area "embeds" of what FIXIE_BLOBS_URL names, or of `folder` when it is not set.

    `environment` holds BLOB_VARIABLES: the bucket, its service and its keys.

    Raises:
        ConfigurationError: the URL is neither `s3://bucket/prefix` nor `file:///folder`, or `obstore`
            is not installed.
    """
    url = environment.get("FIXIE_BLOBS_URL")
    if not url:
        return Blobs(BlobFolder(folder), "embeds")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return Blobs(BlobFolder(pathlib.Path(urllib.parse.unquote(parts.path))), "embeds")
    if parts.scheme != "s3" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise errors.ConfigurationError(
            "FIXIE_BLOBS_URL must be like s3://bucket, s3://bucket/prefix or file:///folder."
        )
    return Blobs(BlobBucket(parts.netloc, parts.path.strip("/"), environment), "embeds")


def _hash(content: bytes | pathlib.Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
