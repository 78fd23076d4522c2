"""Processes that are killed while they write."""
# ruff: noqa: ASYNC240 - small files, and nobody else waits for this event loop

import asyncio
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys

import pytest

from fixieai.storage import messages, queries, sessions, sqlite_connection, users
from fixieai.storage.database import Database, connect, sqlite_url
from fixieai.storage.messages import NewMessage

_APPENDER = """
import asyncio, os, sys
from fixieai.storage import messages, queries, sessions, users
from fixieai.storage.database import connect
from fixieai.storage.messages import NewMessage

async def append(database, owner_id, number):
    session = await database.write(sessions.create, owner_id, f"{os.getpid()}-{number}")
    query = await database.write(queries.begin, owner_id, session.id, None, NewMessage("query", "?"))
    while True:
        line = NewMessage("thought", "x" * 300)
        message = await database.write(messages.append, owner_id, session.id, query.id, line)
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


async def test_queries_that_were_cut_off_say_so_after_the_restart(file: pathlib.Path) -> None:
    database = await connect(sqlite_url(file))
    owner_id = (await database.write(users.ensure, "ann")).id
    running = []
    for number in range(3):
        session = await database.write(sessions.create, owner_id, f"session-{number}")
        question = NewMessage("query", "Roll a d20", sender="user")
        query = await database.write(queries.begin, owner_id, session.id, "ann/dice", question)
        if number == 0:
            answer = NewMessage("response", "12")
            await database.write(queries.finish, owner_id, query.id, "answered", answer)
        else:
            running.append(query)
    await database.close()

    database = await connect(sqlite_url(file))
    notice = NewMessage("response", "The platform was stopped. Ask again.", sender="platform")
    interrupted = await database.write(queries.interrupt_running, notice)
    assert [query.id for query in interrupted] == [query.id for query in running]
    for query in interrupted:
        assert query == await database.read(queries.get, owner_id, query.id)
        assert (query.status, query.error_code) == ("interrupted", "interrupted")
        last = (await database.read(messages.window, owner_id, query.session_id, 1))[0]
        assert (last.text, last.in_reply_to) == (notice.text, query.id)
    assert await database.write(queries.interrupt_running, notice) == []
    await database.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_log_is_copied_back_before_it_grows_without_end(
    database: Database, owner_id: int, file: pathlib.Path
) -> None:
    session = await database.write(sessions.create, owner_id, "session")
    query = await database.write(queries.begin, owner_id, session.id, None, NewMessage("query", "?"))
    for _ in range(12):
        line = NewMessage("thought", "x" * 1024 * 1024)
        await asyncio.gather(
            *(database.write(messages.append, owner_id, session.id, query.id, line) for _ in range(2))
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
