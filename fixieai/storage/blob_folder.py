"""Blobs as files of one folder: written beside their place, then renamed, so that none is ever half there."""

import asyncio
import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

from fixieai.storage import sqlite_errors

_PIECE_BYTES = 256 * 1024
_UNFINISHED = ".unfinished-"


class BlobFolder:
    """See `BlobStore`. Opening it removes what a process that was killed left unfinished."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        for leftover in folder.glob(f"{_UNFINISHED}*"):
            leftover.unlink(missing_ok=True)

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
