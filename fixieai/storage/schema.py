"""The schema of a database that no platform has open here: brought up, or copied with all that is in it."""

import contextlib
import pathlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from fixieai.storage import migrations, sqlite_connection, sqlite_errors
from fixieai.storage.database import is_postgres, needing_psycopg, sqlite_path
from fixieai.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """The number of the schema that was there, 0 for an empty database, and of the one that is."""

    before: int
    after: int


def migrate(url: str) -> SchemaChange:
    """Brings a database to the newest schema. On SQLite the caller holds the lock of the home.

    Raises:
        ConfigurationError: it cannot be used, or has a newer schema than this program knows.
        ServiceUnavailable: it cannot be reached.
    """
    if is_postgres(url):
        return _migrate_postgres(url)
    path = sqlite_path(url)
    before = _sqlite_version(path)
    sqlite_connection.open_writer(path).close()
    return SchemaChange(before, _sqlite_version(path))


def _sqlite_version(path: pathlib.Path) -> int:
    if not path.exists():
        return 0
    try:
        with contextlib.closing(sqlite_connection.open_reader(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise sqlite_errors.explain(error, path) from error
    return int(version)


def _migrate_postgres(url: str) -> SchemaChange:
    with needing_psycopg():
        from fixieai.storage import postgres  # noqa: PLC0415 - an optional extra
    after = migrations.released()[-1].number
    return SchemaChange(after - postgres.migrate(url), after)


def copy_to_postgres(
    path: pathlib.Path,
    url: str,
    on_table: Callable[[str, int], None],
    then: Callable[[Transaction], None],
) -> dict[str, int]:
    """See `copying`: what `then` writes is in the same transaction."""
    with needing_psycopg():
        from fixieai.storage import copying  # noqa: PLC0415 - an optional extra
    return copying.copy_to_postgres(path, url, on_table, then)
