"""A consistent view of a database, for reading alone, beside whoever uses it; and a copy of what it shows.

Nothing is made, brought up to date or locked by looking.
"""

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import database, migrations, sqlite_backup, sqlite_connection, sqlite_errors
from fixieai.storage.sqlite_connection import SqliteTransaction
from fixieai.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class View:
    """What was committed when it was opened. `schema` is the number of the newest migration in it."""

    transaction: Transaction
    schema: int

    @property
    def is_current(self) -> bool:
        """Whether its schema is the one that this program's statements are for."""
        return self.schema == migrations.released()[-1].number


@contextlib.contextmanager
def opened(url: str) -> Iterator[View]:
    """What is committed at this moment.

    Raises:
        ConfigurationError: there is no such database, or it cannot be read.
        ServiceUnavailable: its server cannot be reached.
    """
    if database.is_postgres(url):
        from fixieai.storage import postgres_dumps  # noqa: PLC0415 - an optional extra

        with postgres_dumps.viewed(url) as (transaction, schema):
            yield View(transaction, schema)
        return
    path = database.sqlite_path(url)
    if not path.is_file():
        raise _absent(path)
    with contextlib.closing(sqlite_connection.open_reader(path)) as connection:
        try:
            connection.execute("BEGIN")
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise sqlite_errors.explain(error, path) from error
        yield View(SqliteTransaction(connection, path), int(schema))


@contextlib.contextmanager
def dumped(url: str, target: pathlib.Path) -> Iterator[View]:
    """Writes a copy of the whole database to a new file, and gives the view that it is a copy of.

    Raises:
        ConfigurationError, ServiceUnavailable, StorageFull: it cannot be read, or the copy not be written.
    """
    if database.is_postgres(url):
        from fixieai.storage import postgres_dumps  # noqa: PLC0415 - an optional extra

        with postgres_dumps.dumped(url, target) as (transaction, schema):
            yield View(transaction, schema)
        return
    path = database.sqlite_path(url)
    if not path.is_file():
        raise _absent(path)
    sqlite_backup.snapshot(path, target)
    with opened(database.sqlite_url(target)) as view:
        yield view


def _absent(path: pathlib.Path) -> errors.ConfigurationError:
    return errors.ConfigurationError(
        f"There is no database {path}. For a platform on Postgres, set FIXIE_DATABASE_URL as it has it."
    )
