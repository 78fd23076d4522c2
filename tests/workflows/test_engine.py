"""Runs on a real SQLite file and a real Postgres: what an author may rely on."""

import asyncio
import contextlib
import dataclasses
import pathlib
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import event

from fixieai import errors
from fixieai.storage.database import sqlite_url
from fixieai.workflows import dbos_runtime, engine
from fixieai.workflows.engine import Engine, EngineSettings
from fixieai.workflows.failures import RunCancelled, RunFailed, StepFailed
from fixieai.workflows.runs import RunStatus


class Stage:
    """What workflows told, and what they wait for; new for every test."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.seen: list[Any] = []
        self.go_on = asyncio.Event()
        self.engine: Engine | None = None

    async def until_told(self, count: int = 1) -> None:
        while len(self.told) < count:  # noqa: ASYNC110 - told from wherever workflows run
            await asyncio.sleep(0.01)


stage = Stage()
SECONDS = 60


@pytest.fixture(autouse=True)
def _fresh() -> None:
    stage.__init__()  # type: ignore[misc]


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, file: pathlib.Path) -> EngineSettings:
    is_postgres = request.param == "postgres"
    url = str(request.getfixturevalue("postgres_url")) if is_postgres else sqlite_url(file)
    return EngineSettings(url=url, version="1", executor_id="tests")


@pytest.fixture
async def running(settings: EngineSettings) -> AsyncIterator[Engine]:
    with_queue = dataclasses.replace(settings, queues={"narrow": 2})
    async with engine.opened(with_queue) as running:
        yield running


async def tell(value: Any) -> Any:
    stage.told.append(value)
    return value


async def fail(text: str) -> None:
    stage.told.append(text)
    raise ValueError(text)


@engine.workflow("doubled")
async def doubled(value: Any) -> Any:
    return [await engine.step("tell", tell, value), value]


@engine.workflow("waits")
async def waits(value: Any) -> Any:
    stage.told.append(value)
    await stage.go_on.wait()
    stage.told.append(-1)
    return value


@engine.workflow("fails")
async def fails() -> None:
    await engine.step("fail", fail, "secret of a person")


@engine.workflow("copes")
async def copes() -> str:
    try:
        await engine.step("fail", fail, "no such order")
    except StepFailed as failed:
        stage.seen.append((failed.kind, failed.message))
    await stage.go_on.wait()
    return "coped"


@engine.workflow("returns")
async def returns(place: str) -> Any:
    if place == "step":
        return await engine.step("set", tell, {1, 2})
    return (1, 2)


@engine.workflow("where")
async def where() -> list[int]:
    return [threading.get_ident(), id(asyncio.get_running_loop())]


@engine.workflow("starts-another")
async def starts_another() -> Any:
    async def both() -> Any:
        assert stage.engine is not None
        await stage.engine.start("doubled", "child", 4)
        return await stage.engine.result("child")

    return await engine.step("child", both)


async def test_a_run_returns_what_its_workflow_returns(running: Engine) -> None:
    await running.start("doubled", "a", {"n": [1, 2.5, None, "ä\0"]})
    assert await running.result("a") == [{"n": [1, 2.5, None, "ä\0"]}] * 2
    run = await running.status("a")
    assert (run.workflow, run.status, run.version) == ("doubled", RunStatus.DONE, "1")


async def test_an_id_is_one_run_however_often_it_is_started(running: Engine) -> None:
    await asyncio.gather(*(running.start("doubled", "a", number) for number in range(5)))
    await running.result("a")
    await running.start("doubled", "a", 9)
    assert await asyncio.wait_for(running.result("a"), SECONDS) == [stage.told[0]] * 2
    assert len(stage.told) == 1
    with pytest.raises(errors.Conflict, match="of another workflow"):
        await running.start("waits", "a", 1)


async def test_an_error_ends_a_run_and_keeps_its_kind(
    running: Engine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    await running.start("fails", "a")
    with pytest.raises(RunFailed, match="secret of a person") as raised:
        await running.result("a")
    assert raised.value.kind == "ValueError"
    assert (await running.status("a")).status is RunStatus.FAILED
    assert [record.getMessage() for record in caplog.records] == [
        "run a of workflow fails failed: ValueError"
    ]
    assert capfd.readouterr().err == ""


async def test_a_failed_step_is_remembered_as_the_error_that_it_was(settings: EngineSettings) -> None:
    async with engine.opened(settings) as running:
        await running.start("copes", "a")
        while not stage.seen:  # noqa: ASYNC110 - told from wherever workflows run
            await asyncio.sleep(0.01)
    stage.go_on.set()
    async with engine.opened(settings) as running:
        assert await running.result("a") == "coped"
    assert stage.seen == [("ValueError", "no such order")] * 2
    assert stage.told == ["no such order"]


@pytest.mark.parametrize("place", ["step", "workflow"])
async def test_what_is_not_json_fails_the_run_with_the_place(running: Engine, place: str) -> None:
    await running.start("returns", "a", place)
    with pytest.raises(RunFailed, match=f"the result of {place} .* is not JSON: a builtins") as raised:
        await running.result("a")
    assert raised.value.kind == "NotJson"


async def test_arguments_and_ids_are_checked_before_anything_is_stored(running: Engine) -> None:
    with pytest.raises(errors.UnprocessableContent, match=r"the arguments is not JSON: at \[0\].a: "):
        await running.start("doubled", "a", {"a": (1, 2)})
    for name in ("", "a b", "ä", "x" * 201, "a\0"):
        with pytest.raises(errors.UnprocessableContent, match="1-200 printable ASCII"):
            await running.start("doubled", name, 1)
    with pytest.raises(errors.NotFound):
        await running.start("doubled", "a", 1, queue="unknown")
    with pytest.raises(errors.NotFound):
        await running.start("unknown", "a")
    for call in (running.status, running.result, running.cancel):
        with pytest.raises(errors.NotFound):
            await call("a")


async def test_a_run_is_cancelled_at_once_and_for_good(settings: EngineSettings) -> None:
    async with engine.opened(settings) as running:
        await running.start("waits", "a", 1)
        waiter = asyncio.create_task(running.result("a"))
        await stage.until_told()
        await running.cancel("a")
        with pytest.raises(RunCancelled):
            await asyncio.wait_for(waiter, SECONDS)
        await running.cancel("a")
    stage.go_on.set()
    async with engine.opened(settings) as running:
        with pytest.raises(RunCancelled):
            await running.result("a")
        await asyncio.sleep(1.2)
        assert stage.told == [1]


async def test_a_queue_holds_back_what_is_too_much(running: Engine) -> None:
    for number in range(5):
        await running.start("waits", f"run-{number}", number, queue="narrow")
    await stage.until_told(2)
    await asyncio.sleep(1.2)
    assert len(stage.told) == 2
    assert sorted([(await running.status(f"run-{number}")).status for number in range(5)]) == [
        *[RunStatus.RUNNING] * 2,
        *[RunStatus.WAITING] * 3,
    ]
    stage.go_on.set()
    assert [await running.result(f"run-{number}") for number in range(5)] == [0, 1, 2, 3, 4]


async def test_workflows_run_on_the_event_loop_that_opened_the_engine(running: Engine) -> None:
    here = [threading.get_ident(), id(asyncio.get_running_loop())]
    await running.start("where", "a")
    await running.start("where", "b", queue="narrow")
    assert await running.result("a") == await running.result("b") == here


async def test_a_step_may_start_a_run_and_wait_for_it(running: Engine) -> None:
    stage.engine = running
    await running.start("starts-another", "a")
    assert await running.result("a") == [4, 4]


async def test_a_run_begins_also_when_whoever_started_it_goes_away(running: Engine) -> None:
    for number in range(20):
        starting = asyncio.create_task(running.start("doubled", f"run-{number}", number))
        await asyncio.sleep(number / 5_000)
        starting.cancel()
    await running.start("doubled", "last", -1)
    assert await running.result("last") == [-1, -1]
    ended = 0
    for number in range(20):
        with contextlib.suppress(errors.NotFound):
            assert await asyncio.wait_for(running.result(f"run-{number}"), SECONDS) == [number] * 2
            ended += 1
    assert ended > 0


async def test_a_waiter_that_goes_away_leaves_the_run_alone(running: Engine) -> None:
    await running.start("waits", "a", 1)
    waiter = asyncio.create_task(running.result("a"))
    await asyncio.sleep(0.1)
    waiter.cancel()
    stage.go_on.set()
    assert await running.result("a") == 1


async def test_waiters_ask_the_database_nothing_and_are_woken(running: Engine) -> None:
    asked = ["whatever they ask when they come"]

    def listen(*call: Any) -> None:
        if "a-run-to-wait-for" in str(call[3]):
            asked.append(call[2])

    await running.start("waits", "a-run-to-wait-for", 1)
    waiters = [asyncio.create_task(running.result("a-run-to-wait-for")) for _ in range(50)]
    event.listen(sqlalchemy.Engine, "before_cursor_execute", listen)
    try:
        async with asyncio.timeout(SECONDS):
            while asked:
                asked.clear()
                await asyncio.sleep(1.5)
    finally:
        event.remove(sqlalchemy.Engine, "before_cursor_execute", listen)
    stage.go_on.set()
    assert await asyncio.wait_for(asyncio.gather(*waiters), SECONDS) == [1] * 50


async def test_what_has_ended_is_forgotten_in_slices(
    running: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbos_runtime, "SLICE", 2)
    for number in range(5):
        await running.start("doubled", f"run-{number}", number)
        await running.result(f"run-{number}")
    await running.start("waits", "unfinished", 1)
    assert await running.forget(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await running.forget(datetime.now(UTC) + timedelta(seconds=2)) == 5
    with pytest.raises(errors.NotFound):
        await running.status("run-0")
    assert (await running.status("unfinished")).status is RunStatus.RUNNING
    with pytest.raises(ValueError, match="zone"):
        await running.forget(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


async def test_steps_and_their_keys_are_for_workflows_alone(running: Engine) -> None:
    with pytest.raises(RuntimeError, match="inside of a workflow"):
        await engine.step("tell", tell, 1)
    with pytest.raises(RuntimeError, match="inside of a workflow"):
        await engine.patched("a")
    with pytest.raises(RuntimeError, match="inside of a step"):
        engine.step_key()


@pytest.fixture
def own_server(postgres_server: Any) -> Iterator[Any]:
    """A server that a test may stop; the other one holds the databases of other tests."""
    server = type(postgres_server)(postgres_server._programs)
    server.start()
    yield server
    server.close()


async def test_a_run_waits_for_postgres_to_come_back(
    own_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine.opened(EngineSettings(url=own_server.url(), version="1")) as running:
        await running.start("waits", "a", 1)
        await stage.until_told()
        own_server.stop()
        stage.go_on.set()
        await asyncio.sleep(2)
        own_server.start()
        assert await asyncio.wait_for(running.result("a"), 60) == 1
        await running.start("doubled", "b", 2)
        assert await asyncio.wait_for(running.result("b"), 60) == [2, 2]
    assert stage.told == [1, -1, 2]
    lines = [record.getMessage() for record in caplog.records]
    assert 1 <= len(lines) <= 8
    assert not any(
        "\n" in line or record.exc_info for line, record in zip(lines, caplog.records, strict=True)
    )
