"""Processes that are killed while they write."""
# ruff: noqa: ASYNC240 - small files, and nobody else waits for this event loop

import asyncio
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from fixieai import errors
from fixieai.platform.left_behind import LeftBehind
from fixieai.storage import executors, messages, queries, sessions, sqlite_connection, users
from fixieai.storage.database import Database, connect, sqlite_url
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.queries import NewQuery

_APPENDER = """
import asyncio, os, sys
from fixieai.storage import messages, queries, sessions, users
from fixieai.storage.database import connect
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.queries import NewQuery

async def append(database, owner_id, number):
    session = await database.write(sessions.create, owner_id, f"{os.getpid()}-{number}")
    new = NewQuery(NewMessage("query", "?"), "one")
    query = await database.write(queries.begin, owner_id, session.id, new)
    while True:
        line = NewMessage("thought", "x" * 300)
        message = await database.write(messages.append, Place(owner_id, session.id, query.id, "one"), line)
        os.write(1, f"{session.id} {message.id} {message.position}\\n".encode())

async def main():
    database = await connect(sys.argv[1])
    owner_id = (await database.write(users.ensure, "ann")).id
    await asyncio.gather(*(append(database, owner_id, number) for number in range(20)))

asyncio.run(main())
"""


def _run(script: str, *arguments: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, env=environment
    )


def _acknowledged_until_killed(file: pathlib.Path, count: int) -> list[tuple[int, int, int]]:
    with _run(_APPENDER, sqlite_url(file)) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(count)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    numbers = [tuple(int(part) for part in line.split()) for line in lines if line.endswith(b"\n")]
    return [(session_id, message_id, position) for session_id, message_id, position in numbers]


def test_a_killed_process_loses_no_acknowledged_write(file: pathlib.Path) -> None:
    acknowledged = []
    for count in (50, 2_000, 9_000):
        acknowledged += _acknowledged_until_killed(file, count)
    connection = sqlite_connection.open_writer(file)
    stored = connection.execute("SELECT session_id, id, position FROM messages").fetchall()
    (gaps,) = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM messages GROUP BY session_id HAVING max(position) <> count(*))"
    ).fetchone()
    connection.close()
    assert len(acknowledged) >= 11_050
    assert set(acknowledged) <= set(stored)
    assert gaps == 0


def test_a_reader_that_closes_last_leaves_the_log_as_it_is(file: pathlib.Path) -> None:
    acknowledged = _acknowledged_until_killed(file, 50)
    log = pathlib.Path(f"{file}-wal")
    before = (log.read_bytes(), file.read_bytes())
    reader = sqlite_connection.open_reader(file)
    assert reader.execute("SELECT count(*) FROM messages").fetchone()[0] >= len(acknowledged)
    reader.close()
    assert (log.read_bytes(), file.read_bytes()) == before


async def test_queries_that_were_cut_off_are_taken_by_the_next_executor(file: pathlib.Path) -> None:
    database = await connect(sqlite_url(file))
    owner_id = (await database.write(users.ensure, "ann")).id
    await database.write(executors.add, "one")
    running = []
    for number in range(3):
        session = await database.write(sessions.create, owner_id, f"session-{number}")
        new = NewQuery(NewMessage("query", "Roll a d20", sender="user"), "one", "ann/dice")
        query = await database.write(queries.begin, owner_id, session.id, new)
        if number == 0:
            place = Place(owner_id, session.id, query.id, "one")
            await database.write(queries.finish, place, "answered", NewMessage("response", "12"))
        else:
            running.append(query)
    await database.close()

    database = await connect(sqlite_url(file))
    await database.write(executors.add, "two")
    assert await LeftBehind(database).take("two") == []
    await database.write(executors.remove, "one", 0)
    taken = await LeftBehind(database).take("two")
    assert {query.id for query in taken} == {query.id for query in running}
    assert {(query.username, query.agent_id, query.attempts) for query in taken} == {("ann", "ann/dice", 1)}
    assert await LeftBehind(database).take("two") == []

    left = Place(owner_id, running[0].session_id, running[0].id, "one")
    with pytest.raises(errors.NotFound):
        await database.write(messages.append, left, NewMessage("thought", "from the grave"))
    with pytest.raises(errors.NotFound):
        await database.write(queries.finish, left, "answered", NewMessage("response", "12"))
    await database.write(
        queries.finish, replace(left, executor_id="two"), "answered", NewMessage("response", "12")
    )
    await database.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_log_is_copied_back_before_it_grows_without_end(
    database: Database, owner_id: int, file: pathlib.Path
) -> None:
    session = await database.write(sessions.create, owner_id, "session")
    query = await database.write(
        queries.begin, owner_id, session.id, NewQuery(NewMessage("query", "?"), "one")
    )
    for _ in range(12):
        line = NewMessage("thought", "x" * 1024 * 1024)
        await asyncio.gather(
            *(
                database.write(messages.append, Place(owner_id, session.id, query.id, "one"), line)
                for _ in range(2)
            )
        )
    assert pathlib.Path(f"{file}-wal").stat().st_size < 12 * 1024 * 1024
    assert file.stat().st_size > 12 * 1024 * 1024


def test_the_writer_waits_for_the_disk(connection: sqlite3.Connection, file: pathlib.Path) -> None:
    connection.close()
    writer = sqlite_connection.open_writer(file)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer.execute("PRAGMA page_size").fetchone() == (1024,)
    writer.close()
