"""Copies of a Postgres database in a file, made and put back by Postgres' own `pg_dump` and `pg_restore`."""

import contextlib
import functools
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator

import psycopg

from fixieai import errors
from fixieai.storage import postgres_connection, postgres_errors
from fixieai.storage.postgres_connection import PostgresTransaction
from fixieai.storage.transaction import Row

_SHOWN = 500
# A view stands still while bytes are read or a copy is made of what it shows. It locks no rows.
_LASTS = "SET idle_in_transaction_session_timeout = 0"


@contextlib.contextmanager
def viewed(url: str) -> Iterator[tuple[PostgresTransaction, int, Callable[[pathlib.Path], None]]]:
    """What is committed at this moment, the number of its schema (0: there is none), and what copies it.

    Raises:
        ConfigurationError: in copying, `pg_dump` is missing or fails; the message says what it said.
    """
    with _viewing(url) as connection:
        yield (
            PostgresTransaction(connection),
            _schema(connection),
            functools.partial(_dump, connection, url),
        )


def _dump(connection: psycopg.Connection[Row], url: str, target: pathlib.Path) -> None:
    (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
    options = ("--format=custom", "--no-owner", "--no-privileges")
    _run("pg_dump", url, *options, f"--snapshot={snapshot}", f"--file={target}")


def restore(url: str, source: pathlib.Path) -> None:
    """Puts a copy back into an empty database: all of it, or nothing.

    Raises:
        Conflict: the database is not empty.
        ConfigurationError: `pg_restore` is missing or fails; the message says what it said.
    """
    with _viewing(url) as connection:
        if connection.execute(
            "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1"
        ).fetchone():
            raise errors.Conflict("The database of FIXIE_DATABASE_URL is not empty: restore into a new one.")
    name = psycopg.conninfo.conninfo_to_dict(url).get("dbname", "postgres")
    options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
    _run("pg_restore", url, *options, f"--dbname={name}", str(source))


@contextlib.contextmanager
def _viewing(url: str) -> Iterator[psycopg.Connection[Row]]:
    try:
        with postgres_connection.first(url) as connection:
            connection.execute(_LASTS)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
    except psycopg.Error as error:
        raise postgres_errors.explain(error) from error


def _schema(connection: psycopg.Connection[Row]) -> int:
    (table,) = connection.execute("SELECT to_regclass('schema_versions')").fetchone() or (None,)
    if table is None:
        return 0
    (number,) = connection.execute("SELECT max(number) FROM schema_versions").fetchone() or (0,)
    return int(number or 0)


def _run(program: str, url: str, *arguments: str) -> None:
    """The connection is told in variables: a command line can be read by everybody on the machine."""
    path = shutil.which(program)
    if path is None:
        raise errors.ConfigurationError(
            f"{program} is missing. Install the client programs of Postgres, of the server's version or "
            "newer, and put them on PATH."
        )
    given = psycopg.pq.Conninfo.parse(url.encode("utf-8"))
    variables = {each.envvar.decode(): each.val.decode() for each in given if each.envvar and each.val}
    done = subprocess.run(  # noqa: S603 - no shell, and the arguments are ours
        [path, *arguments], env={**os.environ, **variables}, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise errors.ConfigurationError(f"{program} failed: {said[:_SHOWN]}")
