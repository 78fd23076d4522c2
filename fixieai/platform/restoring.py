"""A home made of a backup: whole, or not at all."""

import asyncio
import contextlib
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from fixieai import errors
from fixieai.platform.backups import FORMAT, KEYS, MANIFEST, POSTGRES, SQLITE, Summary
from fixieai.platform.settings import DATABASE_FILE, Settings
from fixieai.storage import blobs, database, sqlite_backup, sqlite_errors
from fixieai.storage.blobs import Blobs

_LARGEST_MANIFEST = 1024 * 1024
_BLOB = re.compile(r"blobs/(embeds|packages|place)/([0-9a-f]{2})/([0-9a-f]{62})")
_PIECE_BYTES = 1024 * 1024


async def restore(settings: Settings, source: pathlib.Path) -> Summary:
    """Makes the home, which must be new, of a backup: whole, or not at all.

    A copy of a Postgres database goes into that of the settings, which must be empty.

    Raises:
        Conflict: the home or the database is not empty.
        ConfigurationError: the file is no backup, is cut off or damaged, or of a newer program.
        StorageFull: there is no room.
    """
    home = settings.home.absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise errors.Conflict(f"{home} is not empty: restore into a new folder.")
    unfinished = home.with_name(f".{home.name}.restoring-{secrets.token_hex(4)}")
    try:
        unfinished.mkdir(mode=0o700, parents=True)
        stored = blobs.open_blobs(unfinished / "blobs", settings.blobs)
        summary = await _Restoring(unfinished, stored).read(source)
        _put_database(settings, unfinished, summary)
        await asyncio.to_thread(unfinished.rename, home)
    except OSError as error:
        raise sqlite_errors.explain(error, home) from error
    finally:
        await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
    return summary


class _Restoring:
    """Takes regular files of known names alone; all of them are compared with their hashes."""

    def __init__(self, folder: pathlib.Path, stored: Blobs) -> None:
        self._folder = folder
        self._stored = stored
        self._hashes: dict[str, str] = {}
        self._blobs: Counter[str] = Counter()
        self._manifest: dict[str, Any] = {}

    async def read(self, source: pathlib.Path) -> Summary:
        with _explained(source), tarfile.open(source, "r|") as tar:
            for member in tar:
                # Not `isfile`: a few bytes that are sparse may stand for any number of zeros.
                is_plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None
                content = tar.extractfile(member) if is_plain else None
                if content is None or self._manifest:
                    raise _no_backup(source)
                await self._take(member.name, content)
        with _explained(source):
            return self._checked(source)

    async def _take(self, name: str, content: IO[bytes]) -> None:
        blob = _BLOB.fullmatch(name)
        if blob:
            area, *parts = blob.groups()
            taken = await asyncio.to_thread(content.read)
            if await self._stored.area(area).put(taken) != "".join(parts):
                raise ValueError(f"{name} is damaged")
            self._blobs[area] += 1
        elif name == MANIFEST:
            self._manifest = json.loads(content.read(_LARGEST_MANIFEST))
        elif name in (*KEYS, SQLITE, POSTGRES):
            self._hashes[name] = await asyncio.to_thread(_copy, content, self._folder / name)
        else:
            raise ValueError(f"{name[:200]!r} does not belong into a backup")

    def _checked(self, source: pathlib.Path) -> Summary:
        manifest = self._manifest
        if not manifest:
            raise errors.ConfigurationError(f"{source} was cut off: its last part is missing.")
        if manifest["format"] > FORMAT:
            raise errors.ConfigurationError(f"{source} was written by a newer version of fixieai.")
        if manifest["files"] != self._hashes or Counter(manifest["blobs"]) != self._blobs:
            raise errors.ConfigurationError(f"{source} is damaged: it does not hold what it should.")
        keys = [name for name in self._hashes if name in KEYS]
        (name,) = self._hashes.keys() - set(KEYS)
        return Summary(name, manifest["schema"], self._blobs, keys, manifest["lost"], manifest["hasBlobs"])


def _put_database(settings: Settings, unfinished: pathlib.Path, summary: Summary) -> None:
    copy = unfinished / summary.database
    if summary.database == SQLITE:
        if found := sqlite_backup.findings(copy):
            raise errors.ConfigurationError(f"The database in the backup is damaged: {found[0]}")
        copy.rename(unfinished / DATABASE_FILE)
        return
    if settings.is_alone:
        raise errors.ConfigurationError(
            "The backup is of a platform on Postgres. Set FIXIE_DATABASE_URL to an empty database, and "
            "FIXIE_SECRET_KEY to what it was."
        )
    with database.needing_psycopg():
        from fixieai.storage import postgres_dumps  # noqa: PLC0415 - an optional extra
    postgres_dumps.restore(settings.database_url, copy)
    copy.unlink()


@contextlib.contextmanager
def _explained(source: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise _no_backup(source) from error


def _no_backup(source: pathlib.Path) -> errors.ConfigurationError:
    return errors.ConfigurationError(f"{source} is not a backup of a platform, was cut off, or is damaged.")


def _copy(content: IO[bytes], path: pathlib.Path) -> str:
    """The hash of what was written."""
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while piece := content.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
