"""Opening an SQLite file: one connection that writes, and others that only read.

SQLite before 3.51.3 can corrupt a database in WAL mode when one connection starts the log anew
while another copies it back (a checkpoint). So the writer alone does both: readers are opened
read-only, which leaves them unable to checkpoint even when they are the last to close.

Pages are 1 KiB, not the usual 4: a commit writes whole pages, a message changes a few hundred
bytes in two of them, and smaller pages write a third of the bytes per query.
"""

import os
import pathlib
import sqlite3

from fixieai import errors
from fixieai.storage import migrations, sqlite_errors
from fixieai.storage.transaction import Params, Row

BUSY_SECONDS = 5.0
# A quick check reads the whole file, 0.1 s for this much. In a larger one damage shows when it is read.
CHECKED_BYTES = 64 * 1024 * 1024
_PAGE_BYTES = 1024
_LOG_BYTES = 4 * 1024 * 1024
_CACHED_STATEMENTS = 256


class SqliteTransaction:
    """Runs statements on a connection whose transaction somebody else begins and ends."""

    def __init__(self, connection: sqlite3.Connection, path: pathlib.Path) -> None:
        self._connection = connection
        self._path = path

    def rows(self, sql: str, params: Params) -> list[Row]:
        return self._run(sql, params)[0]

    def row(self, sql: str, params: Params) -> Row | None:
        rows, _ = self._run(sql, params)
        return rows[0] if rows else None

    def execute(self, sql: str, params: Params) -> int:
        return self._run(sql, params)[1]

    def _run(self, sql: str, params: Params) -> tuple[list[Row], int]:
        # SQLite would take NUL and cut the text there in some functions; Postgres refuses it.
        for name, value in params.items():
            if isinstance(value, str) and "\0" in value:
                raise errors.UnprocessableContent(f"{name}: holds a NUL character, which cannot be stored")
        try:
            cursor = self._connection.execute(sql, params)
            return cursor.fetchall(), cursor.rowcount
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise sqlite_errors.explain(error, self._path) from error


def open_writer(path: pathlib.Path) -> sqlite3.Connection:
    """Creates the file (0600) or checks it, and brings it to the present schema.

    Raises:
        ConfigurationError: it cannot be opened or written, is damaged, is not ours, or has a newer schema.
        StorageFull: there is no room.
    """
    _create_file(path)
    try:
        connection = _connect(f"{path.as_uri()}?mode=rw")
        try:
            _prepare_writer(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        # Another schema than its version says, and the like.
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise sqlite_errors.damaged(path) from error
        raise sqlite_errors.explain(error, path) from error
    return connection


def open_reader(path: pathlib.Path) -> sqlite3.Connection:
    """The writer must be open already."""
    try:
        connection = _connect(f"{path.as_uri()}?mode=ro")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    except sqlite3.Error as error:
        raise sqlite_errors.explain(error, path) from error
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )


def _create_file(path: pathlib.Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise sqlite_errors.explain(error, path) from error


def _prepare_writer(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    _check_is_ours(connection, path)
    if path.stat().st_size <= CHECKED_BYTES:
        _check_pages(connection, path)
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise errors.ConfigurationError(
            f"{path} is on a file system without shared memory (a network drive?). Set FIXIE_HOME to a "
            f"local folder."
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS; elsewhere fsync alone is enough
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {2 * _LOG_BYTES}")
    migrations.migrate(connection, path)
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // page_bytes}")


def _check_is_ours(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != migrations.APPLICATION_ID:
        raise errors.ConfigurationError(
            f"{path} is a database of another program. Set FIXIE_HOME to another folder."
        )


def _check_pages(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise sqlite_errors.damaged(path)
