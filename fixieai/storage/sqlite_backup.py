"""A copy of an SQLite database while it is in use, and the check of one that is not."""

import contextlib
import os
import pathlib
import sqlite3

from fixieai import errors
from fixieai.storage import sqlite_connection, sqlite_errors

_SHOWN_FINDINGS = 20


def snapshot(connection: sqlite3.Connection, path: pathlib.Path, target: pathlib.Path) -> None:
    """Writes what a reader of the database at `path` sees to a new file (0600), while others write on.

    Raises:
        Conflict: there is a file at `target`.
        ConfigurationError: the database cannot be read, or is damaged.
        StorageFull: there is no room at `target`.
    """
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise errors.Conflict(f"{target} exists already: choose another name.") from error
    except OSError as error:
        raise sqlite_errors.explain(error, target) from error
    try:
        with contextlib.closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)  # in one step: a view of one moment, which holds up no writer
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        is_full = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
        raise sqlite_errors.explain(error, target if is_full else path) from error


def findings(path: pathlib.Path) -> list[str]:
    """What is wrong with a database file: pages, indexes, references; nothing when all is well.

    Raises:
        ConfigurationError: the file cannot be opened.
    """
    try:
        with contextlib.closing(sqlite_connection.open_reader(path)) as connection:
            return [*_integrity(connection), *_references(connection)]
    except sqlite3.DatabaseError as error:
        return [str(sqlite_errors.explain(error, path))]


def _integrity(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(f"PRAGMA integrity_check({_SHOWN_FINDINGS})").fetchall()
    return [finding for (finding,) in rows if finding != "ok"]


def _references(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("PRAGMA foreign_key_check").fetchmany(_SHOWN_FINDINGS)
    return [
        f"row {row_id} of {table} belongs to a row of {parent} that is missing"
        for table, row_id, parent, _ in rows
    ]
