"""A database on a real file, and plain transactions on both engines for tests that need no threads."""

import pathlib
import sqlite3
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from fixieai.storage import postgres_connection, sqlite_connection, users
from fixieai.storage.database import Database, connect, sqlite_url
from fixieai.storage.sqlite_connection import SqliteTransaction
from fixieai.storage.transaction import Row, Transaction


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "home" / "fixie.db"


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = sqlite_url(request.getfixturevalue("file"))
    database = await connect(url)
    yield database
    await database.close()


@pytest.fixture
async def owner_id(database: Database) -> int:
    return (await database.write(users.ensure, "ann")).id


@pytest.fixture
def connection(file: pathlib.Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite_connection.open_writer(file)
    connection.execute("PRAGMA synchronous = OFF")
    yield connection
    connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
def transaction(request: pytest.FixtureRequest) -> Transaction:
    """Each statement commits by itself."""
    if request.param == "postgres":
        return postgres_connection.PostgresTransaction(request.getfixturevalue("postgres"))
    path = request.getfixturevalue("file")
    return SqliteTransaction(request.getfixturevalue("connection"), path)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[psycopg.Connection[Row]]:
    with postgres_connection.connect(postgres_url) as connection:
        yield connection


@pytest.fixture
def ann(transaction: Transaction) -> int:
    return users.ensure(transaction, "ann").id


@pytest.fixture
def bob(transaction: Transaction) -> int:
    return users.ensure(transaction, "bob").id
