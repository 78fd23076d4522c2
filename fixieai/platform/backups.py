"""A platform in one file. `restoring` makes a home of it again.

    bytes ─▶ a view of the database, and bytes that are new in it ─▶ its dump ─▶ keys ─▶ manifest

The platform goes on meanwhile. Bytes come first, so that what is deleted while the rest is copied is
in the file already; what is new in the view is read at once, and the dump, which takes longest, comes
after it. The manifest comes last: a file without it was cut off.
"""

import asyncio
import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import pathlib
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from fixieai import credentials, errors
from fixieai.platform import checks, secret_key, signing_keys
from fixieai.platform.settings import Settings
from fixieai.storage import blobs, database, sqlite_errors, views
from fixieai.storage.blobs import Blobs
from fixieai.storage.views import View

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE, POSTGRES = "database.sqlite", "database.pgdump"
KEYS = (signing_keys.FILE_NAME, secret_key.FILE_NAME, credentials.LOCAL_KEY_FILE)
_TRIES = 100


@dataclass(slots=True)
class Summary:
    """What a backup holds. `lost` are bytes that the database refers to and that are not there."""

    database: str
    schema: int
    blobs: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    has_blobs: bool = True


async def back_up(settings: Settings, target: pathlib.Path, *, with_blobs: bool = True) -> Summary:
    """Writes all that a platform keeps to one new file (0600), while it may be in use.

    With `with_blobs` unset the bytes of attachments and packages are left out: they are kept elsewhere.

    Raises:
        Conflict: there is a file at `target`.
        ConfigurationError: there is no platform in the home, or the database cannot be copied.
        ServiceUnavailable, StorageFull: bytes cannot be read, or the file not be written.
    """
    if await asyncio.to_thread(target.exists):
        raise _taken(target)
    stored = blobs.open_blobs(settings.home / "blobs", settings.blobs)
    with _beside(target) as folder:
        unfinished = folder / "backup"
        with _Archive(unfinished) as archive:
            backup = _Backup(settings, archive, stored, folder, with_blobs=with_blobs)
            summary = await backup.write()
        _publish(unfinished, target)
    return summary


class _Backup:
    def __init__(
        self,
        settings: Settings,
        archive: "_Archive",
        stored: Blobs,
        folder: pathlib.Path,
        *,
        with_blobs: bool,
    ) -> None:
        self._settings = settings
        self._archive = archive
        self._stored = stored
        self._folder = folder
        self._with_blobs = with_blobs
        self._have: set[str] = set()
        self._lost: list[str] = []

    async def write(self) -> Summary:
        for area in checks.AREAS if self._with_blobs else ():
            async for found in self._stored.area(area.name).slices():
                for content_hash in found:
                    await self._add(area, content_hash)
        name = POSTGRES if database.is_postgres(self._settings.database_url) else SQLITE
        summary = Summary(name, await self._add_database(name), has_blobs=self._with_blobs)
        for key in KEYS:
            if await asyncio.to_thread(self._archive.add_file, key, self._settings.home / key):
                summary.keys.append(key)
        summary.blobs = Counter(each.split("/")[1] for each in self._have)
        summary.lost = self._lost
        self._archive.add(MANIFEST, json.dumps(_manifest(summary, self._archive.hashes)).encode("utf-8"))
        return summary

    async def _add_database(self, name: str) -> int:
        """Where bytes are gone that the view refers to, a newer view does not refer to them."""
        for _ in range(_TRIES):
            with views.opened(self._settings.database_url) as view:
                known, self._lost = self._lost, await self._add_missing(view)
                if self._lost == known:  # none, or they were gone before
                    return await asyncio.to_thread(self._add_copy, view, name)
        raise errors.ServiceUnavailable(
            "Attachments are deleted faster than they can be copied. Try again when there is less to do."
        )

    def _add_copy(self, view: View, name: str) -> int:
        copy = self._folder / name
        view.copy(copy)
        self._archive.add_file(name, copy)
        return view.schema

    async def _add_missing(self, view: View) -> list[str]:
        # An older schema than this program's: no platform of this version has changed anything meanwhile.
        if not self._with_blobs or not view.is_current:
            return []
        return [
            f"{area.noun} {content_hash}"
            for area in checks.AREAS
            for content_hash in area.referred_to(view.transaction)
            if not await self._add(area, content_hash)
        ]

    async def _add(self, area: checks.Area, content_hash: str) -> bool:
        """Whether the bytes are in the archive now, and whole."""
        name = _blob_name(area.name, content_hash)
        if name in self._have:
            return True
        try:
            content = b"".join([piece async for piece in self._stored.area(area.name).stream(content_hash)])
        except errors.NotFound:
            return False
        if await asyncio.to_thread(_sha256, content) != content_hash:
            return False
        await asyncio.to_thread(self._archive.add, name, content)
        self._have.add(name)
        return True


class _Archive:
    """A tar that is written once, from front to end. `hashes` are those of everything but blobs."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self.hashes: dict[str, str] = {}

    def __enter__(self) -> Self:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        with self._file:
            if kind is None:
                self._tar.close()
                self._file.flush()
                os.fsync(self._file.fileno())

    def add(self, name: str, content: bytes) -> None:
        if not name.startswith("blobs/") and name != MANIFEST:
            self.hashes[name] = _sha256(content)
        self._tar.addfile(_member(name, len(content)), io.BytesIO(content))

    def add_file(self, name: str, path: pathlib.Path) -> bool:
        """Whether there is such a file."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            self.hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            file.seek(0)
            self._tar.addfile(_member(name, size), file)
        return True


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def _manifest(summary: Summary, hashes: dict[str, str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "schema": summary.schema,
        "files": hashes,
        "blobs": summary.blobs,
        "hasBlobs": summary.has_blobs,
        "lost": summary.lost,
    }


@contextlib.contextmanager
def _beside(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder (0700) on the same disk, for as long as the block lasts."""
    try:
        with tempfile.TemporaryDirectory(prefix=".fixie-backup-", dir=target.parent) as folder:
            yield pathlib.Path(folder)
    except OSError as error:
        raise sqlite_errors.explain(error, target) from error


def _publish(unfinished: pathlib.Path, target: pathlib.Path) -> None:
    """The name appears with all of the file, and never in another's place."""
    try:
        os.link(unfinished, target)
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError:  # a disk without links
        unfinished.rename(target)


def _taken(target: pathlib.Path) -> errors.Conflict:
    return errors.Conflict(f"{target} exists already: choose another name.")


def _blob_name(area: str, content_hash: str) -> str:
    return f"blobs/{area}/{content_hash[:2]}/{content_hash[2:]}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
