"""One connection to Postgres, and the shared statements in its dialect.

Statements are written once, for SQLite and Postgres; what differs is replaced here: the way parameters
are named, and in migrations the types (INTEGER has 64 bits in SQLite, TEXT compares bytes there). What
stands in `/* Postgres: ... */` is for Postgres alone: locks of rows, which SQLite with its one writer
does not need.
"""

import functools
import re
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from fixieai import errors
from fixieai.storage import migrations, postgres_errors
from fixieai.storage.transaction import Params, Row

_CONNECT_SECONDS = 5
# A process that stands still in the middle of a transaction holds its locks no longer than this, which
# is less than a lease: others take over what it ran.
_IDLE_IN_TRANSACTION = "SET idle_in_transaction_session_timeout = '5s'"
_TOO_LARGE = 2**63
_PARAMETER = re.compile(r"'(?:[^']|'')*'|(?<![:\w]):(?P<name>[a-z_]\w*)|%")
_FOR_POSTGRES = re.compile(r"/\* Postgres: ([^*]+) \*/")
_TYPES = {"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "TEXT": 'TEXT COLLATE "C"'}
_TYPE = re.compile(r"\b(INTEGER|REAL|TEXT)\b")
# Any number that no other program takes for its advisory locks.
_MIGRATION_LOCK = 0x46495845


class PostgresTransaction:
    """Runs statements on a connection whose transaction somebody else begins and ends."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection
        self._cursor = connection.cursor()  # one for all: a result is read before the next statement

    def rows(self, sql: str, params: Params) -> list[Row]:
        return self._run(sql, params).fetchall()

    def row(self, sql: str, params: Params) -> Row | None:
        return self._run(sql, params).fetchone()

    def execute(self, sql: str, params: Params) -> int:
        return self._run(sql, params).rowcount

    def _run(self, sql: str, params: Params) -> psycopg.Cursor[Row]:
        for name, value in params.items():
            if isinstance(value, str) and "\0" in value:
                raise errors.UnprocessableContent(f"{name}: holds a NUL character, which cannot be stored")
            if isinstance(value, int) and not -_TOO_LARGE <= value < _TOO_LARGE:
                raise errors.UnprocessableContent(f"{name}: is too large to be stored")
        try:
            return self._cursor.execute(translated(sql), params)
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise postgres_errors.explain(error) from error


@functools.lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """A shared statement with its parameters named as psycopg names them: `:owner_id` -> `%(owner_id)s`."""

    def replace(match: re.Match[str]) -> str:
        if match["name"]:
            return f"%({match['name']})s"
        return match[0].replace("%", "%%")

    return _PARAMETER.sub(replace, _FOR_POSTGRES.sub(r"\1", sql)).encode("utf-8")


def connect(url: str) -> psycopg.Connection[Row]:
    """A connection that commits each statement, unless a transaction is begun. Raises psycopg.Error."""
    connection = psycopg.connect(_conninfo(url), autocommit=True)
    try:
        connection.execute(_IDLE_IN_TRANSACTION)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_for_jobs(url: str, *, is_read_only: bool) -> psycopg.Connection[Row]:
    """A connection whose first statement begins a transaction: what that one sees, all of a read see."""
    connection = connect(url)
    connection.autocommit = False
    if is_read_only:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection


def first(url: str, named: str = "FIXIE_DATABASE_URL") -> psycopg.Connection[Row]:
    """As `connect`, for whoever begins: what is wrong with the address is not an outage to wait for.

    Raises:
        ConfigurationError: the address cannot be read, or the server refuses its user, password or database;
            the message says which, and that `named` holds it.
        DatabaseUnavailable: the server cannot be reached.
    """
    try:
        return connect(url)
    except psycopg.Error as error:
        meaning = postgres_errors.explain_first(error, named)
        # What psycopg says of an address repeats pieces of it, maybe of the password.
        raise meaning from (None if isinstance(meaning, errors.ConfigurationError) else error)


async def connect_async(url: str) -> psycopg.AsyncConnection[Any]:
    """As `connect`, for one that begins no transactions."""
    return await psycopg.AsyncConnection.connect(_conninfo(url), autocommit=True)


def _conninfo(url: str) -> str:
    """With what makes it noticed within half a minute that the server is gone without a word."""
    return make_conninfo(
        url,
        connect_timeout=_CONNECT_SECONDS,
        application_name="fixie",
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=25_000,
    )


def migrate(connection: psycopg.Connection[Row]) -> int:
    """Brings the database to the newest schema, each step in one transaction under a lock; the steps taken.

    Raises:
        ConfigurationError: the database has a newer schema than this program knows.
    """
    known = migrations.released()
    taken = 0
    for migration in known:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
            version = _version(connection)
            if version > known[-1].number:
                raise errors.ConfigurationError(
                    f"This database was written by a newer version of fixieai (its schema is {version}, this "
                    f"program knows {known[-1].number}). Install that version, or use another database."
                )
            if version < migration.number:
                _apply(connection, migration)
                taken += 1
    return taken


def _version(connection: psycopg.Connection[Row]) -> int:
    connection.execute("CREATE TABLE IF NOT EXISTS schema_versions (number BIGINT PRIMARY KEY)")
    (version,) = connection.execute("SELECT coalesce(max(number), 0) FROM schema_versions").fetchone() or (0,)
    return int(version)


def _apply(connection: psycopg.Connection[Row], migration: migrations.Migration) -> None:
    for statement in migrations.statements(migration.script):
        typed = _TYPE.sub(lambda match: _TYPES[match[0]], statement)
        connection.execute(typed.encode("utf-8"))
    connection.execute("INSERT INTO schema_versions (number) VALUES (%s)", (migration.number,))
