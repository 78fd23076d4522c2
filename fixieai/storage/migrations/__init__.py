"""The schema, one numbered `.sql` file per version. A released file is never changed.

Both engines run the same files: where Postgres needs other words (BIGINT for INTEGER, a collation
that compares bytes), its connection replaces them.
"""

import pathlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fixieai import errors

APPLICATION_ID = 0x46495845  # "FIXE", in the header of an SQLite file


@dataclass(frozen=True, slots=True)
class Migration:
    """What leads from schema `number - 1` to `number`."""

    number: int
    script: str


def released(folder: pathlib.Path = pathlib.Path(__file__).parent) -> list[Migration]:
    """All migrations in order, from the files `0001_….sql`, `0002_….sql`, …"""
    files = sorted(folder.glob("[0-9]*.sql"))
    return [Migration(int(file.name.split("_")[0]), file.read_text("utf-8")) for file in files]


def migrate(
    connection: sqlite3.Connection, path: pathlib.Path, migrations: Sequence[Migration] | None = None
) -> None:
    """Brings an SQLite file to the newest schema, each step in one transaction under the write lock.

    Raises:
        ConfigurationError: the file has a newer schema than this program knows.
    """
    known = released() if migrations is None else migrations
    if _version(connection) > known[-1].number:
        raise errors.ConfigurationError(
            f"{path} was written by a newer version of fixieai (its schema is {_version(connection)}, this "
            f"program knows {known[-1].number}). Install that version, or set FIXIE_HOME to another folder."
        )
    for migration in known:
        if _version(connection) < migration.number:
            _apply(connection, migration)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the lock: another process may have been faster.
        if _version(connection) < migration.number:
            for statement in statements(migration.script):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {migration.number}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def statements(script: str) -> Iterator[str]:
    """The script cut at its semicolons: sqlite3's own `executescript` would commit in between."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
