"""Queries that are cut off while they run: nothing is stored twice, and whoever waits is told."""

import asyncio
import concurrent.futures
import contextlib
import gc
import http.server
import pathlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import requests

from fixieai import errors, testing
from fixieai.platform import query_endings, serving
from fixieai.platform.app import open_platform
from fixieai.platform.embeds import Embeds, Kept
from fixieai.platform.journal import Desk, Journal
from fixieai.platform.left_behind import LeftBehind
from fixieai.platform.runs import Failure, Run
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.settings import QueryLimits, Settings
from fixieai.protocol.messages import Message
from fixieai.protocol.transcript import Line, LineKind
from fixieai.storage import executors, messages, queries, sessions, users
from fixieai.storage.agents import AgentChanges
from fixieai.storage.blobs import open_blobs
from fixieai.storage.database import Database, connect, sqlite_url
from fixieai.storage.jobs import Job
from fixieai.storage.transaction import DatabaseUnavailable

_SECONDS = 60

TOO_LATE = Failure("limit_reached", "This took too long.", 422)


@contextlib.contextmanager
def silent_agent(asked: threading.Event) -> Iterator[str]:
    """An agent without a handshake that takes queries and never answers."""

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def do_POST(self) -> None:
            asked.set()
            release.wait(_SECONDS)

        def log_message(self, *_: object) -> None: ...

    release = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        release.set()
        server.shutdown()


def test_whoever_waits_for_a_query_that_outlasts_the_platform_is_told(tmp_path) -> None:
    asked = threading.Event()
    running = serving.background(Settings(home=tmp_path, port=0, limits=QueryLimits(grace_seconds=0.3)))
    with silent_agent(asked) as url, concurrent.futures.ThreadPoolExecutor() as pool:
        running.start()
        platform = testing.Platform(running.url, serving.local_key(tmp_path), contextlib.ExitStack())
        platform.register("silent", url)
        session = platform.call("POST", "/api/sessions")["handle"]
        waiting = [pool.submit(platform.ask, "silent", "Well?", session) for _ in range(3)]
        assert asked.wait(_SECONDS)
        _until(lambda: "\nfixie_queries_waiting 2\n" in _metrics(running.url))
        began = time.monotonic()
        running.stop()

        assert time.monotonic() - began < 15
        told = [_outcome(ask) for ask in waiting]
    assert sorted(told) == ["503", "503", "interrupted"]


def _metrics(url: str) -> str:
    return requests.get(f"{url}/metrics", timeout=_SECONDS).text


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def _outcome(ask: concurrent.futures.Future) -> str:
    """The error of the query that had begun; those that waited behind it are refused."""
    try:
        return str(ask.result(_SECONDS).error)
    except requests.HTTPError as error:
        return str(error.response.status_code)


def test_a_session_deleted_under_a_query_ends_it_with_a_message_and_no_traceback(tmp_path, caplog) -> None:
    asked = threading.Event()
    limits = QueryLimits(agent_seconds=2.0)
    with (
        silent_agent(asked) as url,
        testing.platform(limits=limits) as platform,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        platform.register("silent", url)
        session = platform.call("POST", "/api/sessions")["handle"]
        waiting = pool.submit(platform.ask, "silent", "Well?", session)
        assert asked.wait(_SECONDS)
        platform.call("DELETE", f"/api/sessions/{session}")

        assert waiting.result(_SECONDS).error == "agent_unavailable"
    assert "Traceback" not in caplog.text


@contextlib.asynccontextmanager
async def connected(home: pathlib.Path) -> AsyncIterator[Database]:
    opened = await connect(sqlite_url(home / "fixie.db"))
    yield opened
    await opened.close()


@pytest.fixture
async def database(tmp_path) -> AsyncIterator[Database]:
    async with connected(tmp_path) as opened:
        yield opened


async def test_a_query_that_is_cancelled_while_it_is_taken_up_again_ends_cancelled(tmp_path) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        runner, database = platform.runner, platform.database
        owner = (await database.write(users.ensure, "local")).id
        session = await database.write(sessions.create, owner, "calm-blue-sea")
        question = queries.NewQuery(messages.NewMessage("query", "Well?", sender="user"), "gone", "local/a")
        query = await database.write(queries.begin, owner, session.id, question)
        (unfinished,) = await LeftBehind(database).take(platform.executor.id)

        assert await runner.cancel(owner, session.id)
        runner._take_up(unfinished)
        await asyncio.wait(runner._tasks)

        assert (await database.read(queries.get, owner, query.id)).status == "cancelled"


async def test_who_waits_is_told_also_when_a_query_is_dropped_in_the_moment_in_which_it_comes(
    tmp_path,
) -> None:
    async with open_platform(Settings(home=tmp_path)) as platform:
        caller = await platform.auth.authenticate(serving.local_key(tmp_path))
        await platform.registry.create(caller, "silent", AgentChanges())
        session = await platform.sessions.create(caller, "silent")
        run = await platform.sessions.ask(caller, "silent", session.handle, Message("Well?"))
        platform.runner.drop()

        async with asyncio.timeout(_SECONDS):
            await run.result()
        assert run.outcome == "interrupted"
        if platform.runner._tasks:
            await asyncio.wait(platform.runner._tasks)
        await asyncio.sleep(0)
        assert platform.runner._turns._turns == {}


async def test_what_is_found_while_the_platform_stops_is_left_to_whoever_comes_next(tmp_path) -> None:
    async with open_platform(Settings(home=tmp_path)) as platform:
        database = platform.database
        owner = (await database.write(users.ensure, "local")).id
        session = await database.write(sessions.create, owner, "calm-blue-sea")
        question = queries.NewQuery(messages.NewMessage("query", "Well?", sender="user"), "gone", "local/a")
        query = await database.write(queries.begin, owner, session.id, question)
        taking = asyncio.create_task(platform.runner.take_over())
        await asyncio.sleep(0)
        platform.runner.stop()
        await taking
    async with connected(tmp_path) as database:
        await database.write(executors.add, "next")
        assert [left.id for left in await LeftBehind(database).take("next")] == [query.id]


async def test_a_platform_that_stops_waits_also_for_queries_that_go_on_behind_others(tmp_path) -> None:
    ended: list[str] = []
    async with open_platform(Settings(home=tmp_path)) as platform:
        runner = platform.runner
        caller = await platform.auth.authenticate(serving.local_key(tmp_path))
        session = await platform.sessions.create(caller, None)

        async def first(_: Journal) -> None:
            await asyncio.sleep(0)
            runner._launch(caller.user_id, session, second, contextlib.nullcontext())
            ended.append("first")

        async def second(_: Journal) -> None:
            for _ in range(200):
                await platform.database.ask_whether_it_answers()
            ended.append("second")

        runner._launch(caller.user_id, session, first, contextlib.nullcontext())
    assert ended == ["first", "second"]


class _Failing:
    """Where nothing can be written, or read."""

    def __init__(self, error: errors.FixieError) -> None:
        self._error = error

    def submit(self, job: Job) -> None:
        job.fail(self._error)
        Job.deliver([job])

    def close(self) -> None: ...


async def _desk(database: Database, executor_id: str) -> Desk:
    """One person, in a new session."""
    owner_id = (await database.write(users.ensure, "local")).id
    return Desk(owner_id, await database.write(sessions.create, owner_id, "calm-blue-sea"), executor_id)


def _journal(database: Database, folder: pathlib.Path, desk: Desk, run: Run) -> Journal:
    embeds = Embeds(database, open_blobs(folder / "blobs", {}), SecretKey(bytes(32)), "http://127.0.0.1")
    return Journal(database, embeds, run, desk)


@pytest.mark.parametrize("error", [errors.StorageFull(), errors.ConfigurationError("It is read-only.")])
async def test_an_end_that_cannot_be_stored_is_for_later_and_its_log_holds_nothing_of_what_was_said(
    database, tmp_path, caplog, error: errors.FixieError
) -> None:
    desk = await _desk(database, "one")
    journal = _journal(database, tmp_path, desk, Run(desk.session.handle))
    await journal.begin(Kept(Message("Well?")), None, lambda *_: 1, is_new_session=False)
    journal._database = Database(database._readers, _Failing(error))

    said = "The agent local/a failed (E): a secret\nERROR: a line of its own"
    assert not await query_endings.end(journal, Failure("agent_unavailable", said, 502))

    assert "agent_unavailable" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("has_ended", [False, True])
async def test_a_query_that_another_process_took_is_no_session_that_was_deleted(
    database, tmp_path, has_ended: bool
) -> None:
    desk = await _desk(database, "asleep")
    run = Run(desk.session.handle)
    journal = _journal(database, tmp_path, desk, run)
    await journal.begin(Kept(Message("Well?")), None, lambda *_: 1, is_new_session=False)
    await database.write(executors.add, "awake")
    (taken,) = await LeftBehind(database).take("awake")
    if has_ended:
        place = messages.Place(desk.owner_id, desk.session.id, taken.id, "awake")
        await database.write(queries.finish, place, "answered", messages.NewMessage("response", "42"))

    assert await query_endings.end(journal, Failure("not_found", "The session does not exist.", 404))

    assert run.outcome == "interrupted"


async def test_who_waits_is_told_also_when_the_database_goes_away_under_a_query_that_was_taken(
    database, tmp_path
) -> None:
    desk = await _desk(database, "asleep")
    run = Run(desk.session.handle)
    journal = _journal(database, tmp_path, desk, run)
    await journal.begin(Kept(Message("Well?")), None, lambda *_: 1, is_new_session=False)
    await database.write(executors.add, "awake")
    await LeftBehind(database).take("awake")
    journal._database = Database(_Failing(DatabaseUnavailable()), database._writer)

    assert not await query_endings.end(journal, Failure("not_found", "The session does not exist.", 404))

    assert run.outcome == "not_found"


async def test_what_is_being_stored_when_a_query_is_cancelled_is_stored_once(database, tmp_path) -> None:
    desk = await _desk(database, "one")
    journal = _journal(database, tmp_path, desk, Run(desk.session.handle))
    await journal.begin(Kept(Message("Well?")), None, lambda *_: 1, is_new_session=False)
    await journal.record(Line(LineKind.THOUGHT, "Hm.", "Thought"), "local/a", 0)
    recording = asyncio.create_task(journal.record(Line(LineKind.ASK_FUNC, "1", "f"), "local/a", 0))
    await asyncio.sleep(0)
    recording.cancel()
    answering = asyncio.create_task(journal.finish(Line(LineKind.RESPONSE, "42"), "local/a"))
    await asyncio.sleep(0)
    answering.cancel()

    await journal.finish(Line(LineKind.RESPONSE, "too late"), "platform", TOO_LATE)

    stored = await database.read(messages.page, desk.owner_id, desk.session.id, 0, 10)
    assert [message.text for message in stored] == ["Well?", "Hm.", "1", "42"]
    assert (await database.read(queries.get, desk.owner_id, stored[0].query_id)).status == "answered"
    assert journal.is_finished


async def test_a_question_that_is_being_stored_when_its_time_is_over_keeps_no_session_busy(
    database, tmp_path
) -> None:
    desk = await _desk(database, "one")
    run = Run(desk.session.handle)
    journal = _journal(database, tmp_path, desk, run)
    question = Kept(Message("Well?"))
    beginning = asyncio.create_task(journal.begin(question, None, lambda *_: 7, is_new_session=False))
    await asyncio.sleep(0)
    beginning.cancel()

    assert await query_endings.fail(journal, TOO_LATE)

    stored = await database.read(messages.page, desk.owner_id, desk.session.id, 0, 10)
    assert [message.text for message in stored] == ["Well?", TOO_LATE.message]
    assert (await database.read(queries.get, desk.owner_id, stored[0].query_id)).status == "failed"
    assert await run.begun() == 7


async def test_a_query_whose_time_is_over_as_it_is_taken_up_again_ends(database, tmp_path) -> None:
    desk = await _desk(database, "one")
    question = queries.NewQuery(messages.NewMessage("query", "Well?", sender="user"), "one", "local/a")
    query = await database.write(queries.begin, desk.owner_id, desk.session.id, question)
    journal = _journal(database, tmp_path, desk, Run(desk.session.handle))
    going_on = asyncio.create_task(journal.go_on(query.id))
    await asyncio.sleep(0)
    going_on.cancel()

    assert await query_endings.fail(journal, TOO_LATE)

    assert (await database.read(queries.get, desk.owner_id, query.id)).status == "failed"


async def test_the_log_holds_nothing_of_what_is_refused_behind_somebody_who_was_cancelled(
    database, tmp_path, caplog
) -> None:
    desk = await _desk(database, "one")
    question = queries.NewQuery(messages.NewMessage("query", "Well?", sender="user"), "one", "local/a")
    await database.write(queries.begin, desk.owner_id, desk.session.id, question)
    journal = _journal(database, tmp_path, desk, Run(desk.session.handle))
    busy = journal.begin(Kept(Message("Well?")), None, lambda *_: 1, is_new_session=False)
    beginning = asyncio.create_task(busy)
    await asyncio.sleep(0)
    beginning.cancel()
    await journal.until_begun()
    del journal, beginning, busy
    await database.write(users.ensure, "local")  # what was written before is let go
    gc.collect()

    assert "never retrieved" not in caplog.text
