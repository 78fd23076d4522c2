# ruff: noqa: ASYNC240 - small files, and nobody else waits for this event loop
"""A home moves from SQLite to Postgres whole, or not at all; a backup is a copy of one moment."""

import contextlib
import pathlib
import sqlite3
import stat
import threading

import pytest

from fixieai import errors
from fixieai.storage import (
    copying,
    messages,
    queries,
    sessions,
    sqlite_backup,
    sqlite_connection,
    user_storage,
    users,
    views,
)
from fixieai.storage.database import connect, sqlite_url
from fixieai.storage.messages import NewMessage
from fixieai.storage.queries import NewQuery

_TEXT = "tab\t newline\n backslash \\ quote ' 100% ☃ \\N"


async def _fill(file: pathlib.Path) -> None:
    database = await connect(sqlite_url(file))
    owner = await database.write(users.ensure, "ann")
    session = await database.write(sessions.create, owner.id, "s")
    await database.write(queries.begin, owner.id, session.id, NewQuery(NewMessage("query", _TEXT), "one"))
    for number in range(50):
        await database.write(user_storage.put, owner.id, "ann/dice", f"key/{number}", _TEXT)
    await database.close()


def copy(file: pathlib.Path, target: pathlib.Path) -> None:
    with views.opened(sqlite_url(file)) as view:
        view.copy(target)


async def test_every_row_arrives_as_it_was(file: pathlib.Path, postgres_url: str) -> None:
    await _fill(file)
    told: dict[str, int] = {}
    counts = copying.copy_to_postgres(file, postgres_url, told.__setitem__)
    assert counts == told
    assert (counts["users"], counts["messages"], counts["user_storage"]) == (1, 1, 50)

    database = await connect(postgres_url)
    owner = await database.write(users.ensure, "ann")
    session = await database.read(sessions.get, owner.id, "s")
    assert session is not None
    assert [m.text for m in await database.read(messages.page, owner.id, session.id, 0, 10)] == [_TEXT]
    items = await database.read(user_storage.between, owner.id, "ann/dice", "", "\U0010ffff")
    assert {item.value for item in items} == {_TEXT}
    await database.close()


async def test_a_database_that_is_not_empty_stays_as_it_is(file: pathlib.Path, postgres_url: str) -> None:
    await _fill(file)
    copying.copy_to_postgres(file, postgres_url, lambda *_: None)
    with pytest.raises(errors.Conflict, match="not empty"):
        copying.copy_to_postgres(file, postgres_url, lambda *_: None)


async def test_a_snapshot_holds_one_moment_while_writes_go_on(file: pathlib.Path) -> None:
    database = await connect(sqlite_url(file))
    owner = await database.write(users.ensure, "ann")
    target = file.with_name("copy.db")
    copied = threading.Thread(target=copy, args=(file, target))
    for number in range(200):
        if number == 50:
            copied.start()
        await database.write(user_storage.put, owner.id, "ann/dice", f"{number:03}", "1")
    copied.join()
    await database.close()

    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sqlite_backup.findings(target) == []
    with contextlib.closing(sqlite3.connect(target)) as connection:
        keys = [key for (key,) in connection.execute("SELECT key FROM user_storage ORDER BY key")]
    assert keys == [f"{number:03}" for number in range(len(keys))]
    assert 50 <= len(keys) <= 200


async def test_a_copy_shows_what_its_view_shows(file: pathlib.Path) -> None:
    database = await connect(sqlite_url(file))
    owner = await database.write(users.ensure, "ann")
    target = file.with_name("copy.db")
    with views.opened(sqlite_url(file)) as view:
        await database.write(user_storage.put, owner.id, "ann/dice", "later", "1")
        view.copy(target)
    await database.close()
    with contextlib.closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM user_storage").fetchone() == (0,)


async def test_a_copy_never_replaces_a_file(file: pathlib.Path) -> None:
    await _fill(file)
    with pytest.raises(errors.Conflict, match="exists already"):
        copy(file, file)


async def test_what_is_damaged_is_found(file: pathlib.Path) -> None:
    await _fill(file)
    with contextlib.closing(sqlite_connection.open_writer(file)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM users")
    assert any("missing" in finding for finding in sqlite_backup.findings(file))
    content = bytearray(file.read_bytes())
    content[4096:5120] = b"\xff" * 1024
    file.write_bytes(content)
    assert sqlite_backup.findings(file)
