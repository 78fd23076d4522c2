"""The file of an engine on SQLite: private, of one process at a time, written through one connection.

The lock is on a file beside the database. On the database itself it could not be: closing any other
descriptor of a file drops the locks that SQLite holds on it.
"""

import contextlib
import fcntl
import os
import pathlib
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from sqlalchemy import event

from fixieai import errors
from fixieai.storage import sqlite_errors

_BUSY_MILLISECONDS = 30_000
# Older ones cannot tell fractions of a second, which DBOS asks for on Python 3.12 and later.
_HAS_SUBSECONDS = (3, 42)


@contextlib.contextmanager
def held(path: pathlib.Path) -> Iterator[None]:
    """The one process that has this file. Creates it, and its folder, for this user alone.

    Raises:
        Conflict: another engine has it; the message names its pid.
        ConfigurationError: it cannot be written to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise sqlite_errors.explain(error, path) from error
    try:
        _lock(descriptor, path)
        _create(path)
        yield
    finally:
        os.close(descriptor)


def engine(path: pathlib.Path) -> sqlalchemy.Engine:
    """One connection, which everything takes turns on. `held` must be."""
    url = sqlalchemy.URL.create("sqlite", database=str(path))
    made = sqlalchemy.create_engine(
        url, poolclass=sqlalchemy.QueuePool, pool_size=1, max_overflow=0, pool_timeout=60
    )
    event.listen(made, "connect", _prepare)
    return made


def unixepoch(*modifiers: str) -> float:
    """SQLite's own, for the versions that have none, or none with fractions: `unixepoch('subsec')`."""
    return time.time()


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    if sqlite3.sqlite_version_info < _HAS_SUBSECONDS:
        connection.create_function("unixepoch", -1, unixepoch)
    # A transaction that reads first and then writes would otherwise lose what others wrote between.
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")


def _create(path: pathlib.Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise sqlite_errors.explain(error, path) from error


def _lock(descriptor: int, path: pathlib.Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise errors.Conflict(
            f"Another engine (process {holder}) already runs what is in {path}. Stop it, or use another file."
        ) from error
    # Nothing is lost when the disk is too full for the pid: it is the lock that counts.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
