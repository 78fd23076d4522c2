"""Moving a home from SQLite to Postgres: every row of every table, counted on both sides."""

import contextlib
import pathlib
import sqlite3
from collections.abc import Callable

import psycopg
from psycopg import sql

from fixieai import errors
from fixieai.storage import postgres_connection, postgres_errors, sqlite_connection
from fixieai.storage.postgres_connection import PostgresTransaction
from fixieai.storage.transaction import Row, Transaction

_ROWS_AT_ONCE = 1_000
_OWN_TABLES = ("schema_versions", "executors")

Progress = Callable[[str, int], None]


def copy_to_postgres(
    path: pathlib.Path, url: str, on_table: Progress, then: Callable[[Transaction], None] = lambda _: None
) -> dict[str, int]:
    """Copies an SQLite file that no platform uses into an empty database; the rows of each table.

    All of it is one transaction: it is all there afterwards, or nothing is. `on_table` is told each
    table's name and number of rows when it is copied; `then` writes what is to be there besides.

    Raises:
        Conflict: the target holds rows already, or the counts differ afterwards.
        ConfigurationError, ServiceUnavailable: one of the two cannot be used.
    """
    try:
        with (
            contextlib.closing(sqlite_connection.open_writer(path)) as source,
            postgres_connection.first(url, "--to") as target,
        ):
            postgres_connection.migrate(target)
            with target.transaction():
                counts = _copy(source, target, on_table)
                then(PostgresTransaction(target))
                return counts
    except psycopg.Error as error:
        raise postgres_errors.explain(error) from error


def _copy(source: sqlite3.Connection, target: psycopg.Connection[Row], on_table: Progress) -> dict[str, int]:
    source.execute("BEGIN")
    counts = {}
    for table in _tables_in_order(source):
        if _count(target, table):
            raise errors.Conflict(f"The target's table {table} is not empty: copy into a new database.")
        expected = _copy_table(source, target, table)
        counts[table] = _count(target, table)
        if counts[table] != expected:
            raise errors.Conflict(f"{table}: {expected} rows were read and {counts[table]} are there.")
        on_table(table, counts[table])
    return counts


def _tables_in_order(source: sqlite3.Connection) -> list[str]:
    """Each table behind those it refers to."""
    names = [
        name
        for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        if not name.startswith("sqlite_") and name not in _OWN_TABLES
    ]
    parents = {
        name: {row[2] for row in source.execute(f'PRAGMA foreign_key_list("{name}")')} - {name}
        for name in names
    }
    ordered: list[str] = []
    while len(ordered) < len(names):
        ordered += [name for name in names if name not in ordered and parents[name] <= set(ordered)]
    return ordered


def _copy_table(source: sqlite3.Connection, target: psycopg.Connection[Row], table: str) -> int:
    rows = source.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the schema
    columns = [sql.Identifier(column[0]) for column in rows.description]
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(", ").join(columns))
    count = 0
    with target.cursor() as cursor, cursor.copy(command) as copy:
        while some := rows.fetchmany(_ROWS_AT_ONCE):
            for row in some:
                copy.write_row(row)
            count += len(some)
    return count


def _count(target: psycopg.Connection[Row], table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    (count,) = target.execute(query).fetchone() or (0,)
    return int(count)
