"""Blobs as files of one folder: written beside their place, then renamed, so that none is ever half there."""

import asyncio
import contextlib
import os
import pathlib
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

from fixieai.storage import sqlite_errors

_PIECE_BYTES = 256 * 1024
_UNFINISHED = ".unfinished-"
_UNFINISHED_SECONDS = 3600


class BlobFolder:
    """See `BlobStore`. Opening it removes what a process that was killed left unfinished.

    Several processes may have it open: what was written to in the last hour may be another's.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        for leftover in folder.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(FileNotFoundError):
                if leftover.stat().st_mtime < time.time() - _UNFINISHED_SECONDS:
                    leftover.unlink()

    async def write(self, name: str, content: bytes | pathlib.Path) -> None:
        await asyncio.to_thread(self._write, name, content)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        path = self._folder / name
        with _explained(path):
            file = await asyncio.to_thread(path.open, "rb", 0)
        with file:
            while piece := await asyncio.to_thread(_read_piece, path, file):
                yield piece

    async def remove(self, name: str) -> None:
        path = self._folder / name
        with _explained(path):
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def has(self, name: str) -> bool:
        return await asyncio.to_thread((self._folder / name).is_file)

    async def listing(self, area: str) -> AsyncIterator[tuple[str, int, float]]:
        for folder in await asyncio.to_thread(_folders, self._folder / area):
            for name, size, modified in await asyncio.to_thread(_files, folder):
                yield f"{area}/{folder.name}/{name}", size, modified

    def _write(self, name: str, content: bytes | pathlib.Path) -> None:
        path = self._folder / name
        with _explained(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = self._folder / f"{_UNFINISHED}{secrets.token_hex(8)}"
            try:
                _write_new(unfinished, content)
                unfinished.rename(path)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)


def _folders(area: pathlib.Path) -> list[pathlib.Path]:
    with _explained(area):
        return sorted(folder for folder in area.iterdir() if folder.is_dir()) if area.is_dir() else []


def _files(folder: pathlib.Path) -> list[tuple[str, int, float]]:
    found = []
    with _explained(folder), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                seen = entry.stat(follow_symlinks=False)
                found.append((entry.name, seen.st_size, seen.st_mtime))
    return found


def _write_new(path: pathlib.Path, content: bytes | pathlib.Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            with content.open("rb") as source:
                shutil.copyfileobj(source, file, _PIECE_BYTES)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: pathlib.Path) -> None:
    """Without it the name may be gone after a loss of power, although its bytes are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_piece(path: pathlib.Path, file: BinaryIO) -> bytes:
    with _explained(path):
        return file.read(_PIECE_BYTES)


@contextlib.contextmanager
def _explained(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise sqlite_errors.explain(error, path) from error
