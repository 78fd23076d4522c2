"""The schema: made anew, brought up from each released version, never taken back."""
# ruff: noqa: ASYNC240 - small files, and nobody else waits for this event loop

import contextlib
import pathlib
import sqlite3

import pytest

from fixieai import errors
from fixieai.storage import agents, messages, migrations, oauth, sessions, user_storage, users
from fixieai.storage.database import connect, sqlite_url
from fixieai.storage.migrations import Migration

_RELEASED = sorted((pathlib.Path(__file__).parent / "schemas").glob("*.sql"))


def _schema(file: pathlib.Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def _restore(dump: pathlib.Path, file: pathlib.Path) -> None:
    """A file as a released version left it."""
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(dump.read_text("utf-8"))
        connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {int(dump.stem)}")


async def test_an_empty_file_gets_the_newest_schema_and_keeps_it(file: pathlib.Path) -> None:
    await (await connect(sqlite_url(file))).close()
    made = _schema(file)
    await (await connect(sqlite_url(file))).close()
    assert _schema(file) == made
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations.released()),)


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in migrations.released()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [int(dump.stem) for dump in _RELEASED] == numbers


@pytest.mark.parametrize("dump", _RELEASED, ids=lambda dump: dump.stem)
async def test_every_released_schema_comes_up_with_its_data(
    dump: pathlib.Path, file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    _restore(dump, file)
    database = await connect(sqlite_url(file))
    ann = await database.read(users.by_username, "ann")
    assert ann is not None
    agent = await database.read(agents.get, ann.id, "ann", "dice")
    assert agent is not None
    assert agent.queries == ["Roll a d20"]
    session = await database.read(sessions.get, ann.id, "stormy-luxuriant-ferryboat")
    assert session is not None
    said = await database.read(messages.page, ann.id, session.id, 0, 10)
    assert [(message.position, message.text) for message in said] == [(1, "Roll a d20"), (2, "12")]
    assert await database.read(user_storage.get, ann.id, "ann/dice", "last") == "12"
    assert await database.read(user_storage.used, ann.id, "ann/dice") == user_storage.Used(keys=1, bytes=6)
    if int(dump.stem) >= 5:
        assert await database.read(oauth.value, ann.id, "ann/dice", "_oauth_token") == "1.sealed"
        assert await database.read(oauth.flow, "hash", 0) == oauth.Flow(ann, "ann/dice")
    await database.close()
    fresh = tmp_path / "fresh.db"
    await (await connect(sqlite_url(fresh))).close()
    assert _schema(file) == _schema(fresh)


async def test_an_older_program_refuses_a_newer_schema(file: pathlib.Path) -> None:
    await (await connect(sqlite_url(file))).close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = file.read_bytes()
    with pytest.raises(errors.ConfigurationError, match=r"fixie\.db.*newer.*99.*Install"):
        await connect(sqlite_url(file))
    assert file.read_bytes() == before


def test_a_migration_that_fails_leaves_nothing_behind(
    connection: sqlite3.Connection, file: pathlib.Path
) -> None:
    before = connection.execute("SELECT name FROM sqlite_master").fetchall()
    steps = [
        *migrations.released(),
        Migration(90, "CREATE TABLE extra (id);"),
        Migration(
            91, "CREATE TABLE more (id);\nINSERT INTO extra VALUES (1);\nINSERT INTO nowhere VALUES (1);"
        ),
    ]
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrations.migrate(connection, file, steps)
    after = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert set(after) - set(before) == {("extra",)}
    assert connection.execute("SELECT * FROM extra").fetchall() == []
    assert connection.execute("PRAGMA user_version").fetchone() == (90,)
