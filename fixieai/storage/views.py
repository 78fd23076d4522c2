"""A consistent view of a database, for reading alone, beside whoever uses it; and a copy of what it shows.

Nothing is made, brought up to date or locked by looking. Opening a view takes no longer for a large
database than for a small one; copying does.
"""

import contextlib
import functools
import pathlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import database, migrations, sqlite_backup, sqlite_connection, sqlite_errors
from fixieai.storage.sqlite_connection import SqliteTransaction
from fixieai.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class View:
    """What was committed when it was opened. `schema` is the number of the newest migration in it.

    `copy` writes the whole database, as the view shows it, to a new file. It raises ConfigurationError,
    ServiceUnavailable or StorageFull when the database cannot be read, or the copy not be written.
    """

    transaction: Transaction
    schema: int
    copy: Callable[[pathlib.Path], None]

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
        with database.needing_psycopg():
            from fixieai.storage import postgres_dumps  # noqa: PLC0415 - an optional extra
        with postgres_dumps.viewed(url) as viewed:
            yield View(*viewed)
        return
    path = database.sqlite_path(url)
    if not path.is_file():
        raise errors.ConfigurationError(
            f"There is no database {path}. For a platform on Postgres, set FIXIE_DATABASE_URL as it has it."
        )
    with contextlib.closing(sqlite_connection.open_reader(path)) as connection:
        try:
            connection.execute("BEGIN")
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise sqlite_errors.explain(error, path) from error
        copy = functools.partial(sqlite_backup.snapshot, connection, path)
        yield View(SqliteTransaction(connection, path), int(schema), copy)
