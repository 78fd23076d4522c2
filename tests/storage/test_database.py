# ruff: noqa: ASYNC240 - small files, and nobody else waits for this event loop
import asyncio
import pathlib
import stat
import threading

import pytest

from fixieai import errors
from fixieai.storage import messages, queries, sessions, user_storage, users
from fixieai.storage.database import Database, connect, sqlite_path, sqlite_url
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.queries import NewQuery
from fixieai.storage.transaction import Transaction

_FRAME_BYTES = 24 + 1024
_ALL_KEYS = ("", "\U0010ffff")


class _Gate:
    """A write that holds the writer until it is opened, so that those behind it become one group."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def hold(self, _transaction: Transaction) -> None:
        self._open.wait(60)

    def open(self) -> None:
        self._open.set()


def _commits(file: pathlib.Path) -> int:
    """The frames of the log that end a transaction: they carry the size of the database."""
    log = pathlib.Path(f"{file}-wal").read_bytes()[32:]
    return sum(log[at + 4 : at + 8] != b"\0\0\0\0" for at in range(0, len(log), _FRAME_BYTES))


def _put_and_fail(transaction: Transaction, owner_id: int) -> None:
    user_storage.put(transaction, owner_id, "ann/dice", "failed", "1")
    raise ZeroDivisionError


async def test_what_was_written_is_read_at_once(database: Database, owner_id: int) -> None:
    for number in range(50):
        await database.write(user_storage.put, owner_id, "ann/dice", "key", str(number))
        assert await database.read(user_storage.get, owner_id, "ann/dice", "key") == str(number)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_writes_that_wait_together_are_one_commit(
    database: Database, owner_id: int, file: pathlib.Path
) -> None:
    gate = _Gate()
    before = _commits(file)
    held = asyncio.create_task(database.write(gate.hold))
    puts = [
        asyncio.create_task(database.write(user_storage.put, owner_id, "ann/dice", str(n), "1"))
        for n in range(40)
    ]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(held, *puts)
    assert 1 <= _commits(file) - before <= 2
    assert len(await database.read(user_storage.between, owner_id, "ann/dice", *_ALL_KEYS)) == 40


async def test_a_function_that_fails_takes_no_other_of_its_group_along(
    database: Database, owner_id: int
) -> None:
    gate = _Gate()
    held = asyncio.create_task(database.write(gate.hold))
    tasks = [
        asyncio.create_task(
            database.write(_put_and_fail, owner_id)
            if number % 3 == 1
            else database.write(user_storage.put, owner_id, "ann/dice", str(number), "1")
        )
        for number in range(9)
    ]
    await asyncio.sleep(0)
    gate.open()
    await held
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ZeroDivisionError, type(None)] * 3
    stored = await database.read(user_storage.between, owner_id, "ann/dice", *_ALL_KEYS)
    assert [item.key for item in stored] == ["0", "2", "3", "5", "6", "8"]


async def test_a_caller_that_was_cancelled_harms_nobody(database: Database, owner_id: int) -> None:
    gate = _Gate()
    held = asyncio.create_task(database.write(gate.hold))
    cancelled = asyncio.create_task(database.write(user_storage.put, owner_id, "ann/dice", "a", "1"))
    other = asyncio.create_task(database.write(user_storage.put, owner_id, "ann/dice", "b", "1"))
    await asyncio.sleep(0)
    cancelled.cancel()
    held.cancel()
    gate.open()
    await other
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await database.write(user_storage.put, owner_id, "ann/dice", "c", "1")
    assert await database.read(user_storage.is_present, owner_id, "ann/dice", "c")


@pytest.mark.parametrize("error", [SystemExit, StopIteration, KeyboardInterrupt])
async def test_no_exception_ends_a_database_thread(
    database: Database, owner_id: int, error: type[BaseException]
) -> None:
    caught: list[BaseException] = []

    def fail(_transaction: Transaction) -> None:
        raise error

    async def call(way: str) -> None:
        try:
            await getattr(database, way)(fail)
        except BaseException as raised:  # noqa: BLE001 - asyncio itself would end the loop with these
            caught.append(raised)

    for _ in range(4):
        await call("write")
        await call("read")
    assert len(caught) == 8
    await database.write(user_storage.put, owner_id, "ann/dice", "a", "1")
    assert await database.read(user_storage.is_present, owner_id, "ann/dice", "a")


def test_the_threads_outlive_the_event_loop_that_called_them(file: pathlib.Path) -> None:
    gate = _Gate()
    opened: list[Database] = []

    async def leave() -> None:
        opened.append(await connect(sqlite_url(file)))
        held = asyncio.create_task(opened[0].write(gate.hold))
        await asyncio.sleep(0.01)
        held.cancel()

    async def come_back() -> None:
        await opened[0].write(users.ensure, "ann")
        await opened[0].close()

    asyncio.run(leave())
    gate.open()
    asyncio.run(come_back())


async def test_a_function_reads_one_view(database: Database, owner_id: int) -> None:
    between, written = threading.Event(), threading.Event()

    def look_twice(transaction: Transaction) -> tuple[str | None, str | None]:
        first = user_storage.get(transaction, owner_id, "ann/dice", "key")
        between.set()
        written.wait(60)
        return first, user_storage.get(transaction, owner_id, "ann/dice", "key")

    await database.write(user_storage.put, owner_id, "ann/dice", "key", "old")
    looking = asyncio.create_task(database.read(look_twice))
    await asyncio.to_thread(between.wait, 60)
    await database.write(user_storage.put, owner_id, "ann/dice", "key", "new")
    written.set()
    assert await looking == ("old", "old")


async def test_reading_functions_cannot_write(database: Database, owner_id: int) -> None:
    with pytest.raises(errors.ConfigurationError, match="writing"):
        await database.read(user_storage.put, owner_id, "ann/dice", "key", "1")


async def test_two_hundred_sessions_at_once_keep_their_messages_apart_and_in_order(
    database: Database, owner_id: int
) -> None:
    async def converse(number: int) -> int:
        session = await database.write(sessions.create, owner_id, f"session-{number}")
        question = NewMessage("query", f"{number}:1", sender="user")
        query = await database.write(queries.begin, owner_id, session.id, NewQuery(question, "one", None))
        for step in (2, 3, 4):
            line = NewMessage("thought", f"{number}:{step}")
            await database.write(messages.append, Place(owner_id, session.id, query.id, "one"), line)
        answer = NewMessage("response", f"{number}:5")
        await database.write(
            queries.finish, Place(owner_id, query.session_id, query.id, "one"), "answered", answer
        )
        return session.id

    ids = await asyncio.gather(*(converse(number) for number in range(200)))
    for number, session_id in enumerate(ids):
        stored = await database.read(messages.page, owner_id, session_id, 0, 100)
        assert [(m.position, m.text) for m in stored] == [(p, f"{number}:{p}") for p in range(1, 6)]


async def test_closing_finishes_what_was_begun(file: pathlib.Path) -> None:
    database = await connect(sqlite_url(file))
    owner_id = (await database.write(users.ensure, "ann")).id
    puts = [
        asyncio.create_task(database.write(user_storage.put, owner_id, "ann/dice", str(n), "1"))
        for n in range(300)
    ]
    await asyncio.sleep(0)
    await database.close()
    await database.close()
    await asyncio.gather(*puts)
    with pytest.raises(errors.ServiceUnavailable):
        await database.read(users.by_username, "ann")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_files_are_for_their_owner_alone(database: Database, owner_id: int, file: pathlib.Path) -> None:
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"fixie.db": 0o600, "fixie.db-wal": 0o600, "fixie.db-shm": 0o600}


@pytest.mark.parametrize("name", ["fixie.db", "with space.db", "per%41cent.db", "a#b?c.db", "ünï.db"])
async def test_a_path_of_any_characters_has_a_url(tmp_path: pathlib.Path, name: str) -> None:
    url = sqlite_url(tmp_path / name)
    assert sqlite_path(url) == tmp_path / name
    await (await connect(url)).close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_slashes_are_not_counted() -> None:
    path = pathlib.Path("/home/me/fixie.db")
    assert sqlite_path("sqlite:///home/me/fixie.db") == sqlite_path("sqlite:////home/me/fixie.db") == path


@pytest.mark.parametrize(
    "url",
    ["mysql://localhost/fixie", "sqlite://fixie.db", "sqlite:///", "sqlite:", "", "sqlite:///a?mode=ro"],
)
async def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"sqlite:///absolute|Use postgresql://"):
        await connect(url)


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 pair"])
async def test_text_that_cannot_be_stored_is_refused_at_the_door(
    database: Database, owner_id: int, text: str
) -> None:
    with pytest.raises(errors.UnprocessableContent):
        await database.write(user_storage.put, owner_id, "ann/dice", text, "1")
    with pytest.raises(errors.UnprocessableContent):
        await database.read(sessions.get, owner_id, text)
    with pytest.raises(errors.UnprocessableContent):
        await database.read(sessions.get, 2**80, "handle")
