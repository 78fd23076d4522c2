"""What DBOS does by itself and must not do here; each on the real thing."""

import asyncio
import base64
import contextlib
import dataclasses
import logging
import pathlib
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from typing import Any

import dbos
import pytest

from fixieai import errors
from fixieai.storage.database import sqlite_url
from fixieai.workflows import engine, sqlite_file
from fixieai.workflows.engine import Engine, EngineSettings
from fixieai.workflows.failures import RunFailed
from fixieai.workflows.runs import RunStatus


class Stage:
    """What workflows told, and what they wait for; new for every test."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.stored: list[Any] = []
        self.steps = ("first", "second")
        self.is_patched = False
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


async def tell(value: str) -> str:
    stage.told.append(value)
    return value


@engine.workflow("two-steps")
async def two_steps() -> list[str]:
    first, second = stage.steps
    outcomes = [await engine.step(first, tell, first)]
    stage.stored.append(first)
    if stage.is_patched and await engine.patched("one more"):
        outcomes.append(await engine.step("one more", tell, "one more"))
    await stage.go_on.wait()
    return [*outcomes, await engine.step(second, tell, second)]


@engine.workflow("takes")
async def takes(value: Any) -> Any:
    await stage.go_on.wait()
    return value


@engine.workflow("storage-fails")
async def storage_fails() -> str:
    async def break_storage() -> str:
        if not stage.go_on.is_set():
            set_query_only(stage.engine, "ON")
        return await tell("stored")

    return str(await engine.step("break", break_storage))


def set_query_only(running: Engine | None, value: str) -> None:
    """On the one connection that the engine has: what it writes then fails."""
    assert running is not None
    with running._runtime._place.database.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA query_only = {value}")


async def leave_after_first_step(settings: EngineSettings, run_id: str) -> None:
    async with engine.opened(settings) as running:
        await running.start("two-steps", run_id)
        while not stage.stored:  # noqa: ASYNC110 - told from wherever workflows run
            await asyncio.sleep(0.01)


def test_nothing_imports_dbos_before_an_engine_is_opened() -> None:
    program = (
        "import sys, fixieai, fixieai.cli.main, fixieai.workflows.engine;"
        "sys.exit('dbos' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_would_block_the_event_loop_is_refused() -> None:
    with pytest.raises(TypeError, match="write it with `async def`"):

        @engine.workflow("blocks")  # type: ignore[type-var]
        def blocks() -> None: ...


def test_a_name_is_one_workflow() -> None:
    with pytest.raises(errors.ConfigurationError, match="two workflows named 'takes'"):
        engine.workflow("takes")(two_steps)
    with pytest.raises(errors.ConfigurationError, match="names of workflows"):
        engine.workflow("a name")(two_steps)
    engine.workflow("takes")(takes)


async def test_workflows_are_registered_before(settings: EngineSettings) -> None:
    async with engine.opened(settings):
        with pytest.raises(errors.ConfigurationError, match="before the engine is opened"):
            engine.workflow("late")(two_steps)


async def test_one_engine_at_a_time_in_a_process(settings: EngineSettings, tmp_path: pathlib.Path) -> None:
    other = dataclasses.replace(settings, url=sqlite_url(tmp_path / "other.db"))
    async with engine.opened(settings):
        with pytest.raises(errors.Conflict, match="has an engine open already"):
            async with engine.opened(other):
                pass
    async with engine.opened(other) as running:
        stage.go_on.set()
        await running.start("takes", "a", 1)
        assert await running.result("a") == 1


async def test_dbos_of_somebody_else_is_left_alone(settings: EngineSettings, tmp_path: pathlib.Path) -> None:
    dbos.DBOS(config={"name": "other", "system_database_url": f"sqlite:///{tmp_path}/other.db"})
    try:
        with pytest.raises(errors.Conflict, match="runs DBOS for something else"):
            async with engine.opened(settings):
                pass
    finally:
        dbos.DBOS.destroy()
        logging.getLogger("dbos").handlers.clear()
        logging.getLogger("dbos").propagate = True
    async with engine.opened(settings):
        pass


async def test_settings_that_cannot_work_are_refused(tmp_path: pathlib.Path) -> None:
    for url, version, message in (
        ("sqlite:///tmp/x.db", " ", "needs a version"),
        ("mysql://host/db", "1", "not supported"),
        (sqlite_url(tmp_path), "1", "cannot be opened"),
    ):
        with pytest.raises(errors.ConfigurationError, match=message):
            async with engine.opened(EngineSettings(url=url, version=version)):
                pass
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(errors.ConfigurationError, match="is damaged, or is not a database"):
        async with engine.opened(EngineSettings(url=sqlite_url(tmp_path / "text.db"), version="1")):
            pass
    with pytest.raises(errors.ServiceUnavailable, match="cannot be reached"):
        async with engine.opened(EngineSettings(url="postgresql://127.0.0.1:1/none", version="1")):
            pass


async def test_the_file_is_private_and_written_with_care(
    settings: EngineSettings, file: pathlib.Path
) -> None:
    async with engine.opened(settings) as running:
        pool: Any = running._runtime._place.database.pool
        with running._runtime._place.database.connect() as connection:
            found = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
            assert pool.checkedout() == pool.size() == 1
        assert found == ["wal", 2, 1]
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}
        assert set(modes.values()) == {0o600}
        assert {"durable.db", "durable.db-wal", "durable.db.lock"} <= modes.keys()
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_an_old_sqlite_is_taught_fractions_of_seconds(file: pathlib.Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.create_function("unixepoch", -1, sqlite_file.unixepoch)
    connection.execute("CREATE TABLE t (at REAL DEFAULT (unixepoch('subsec') * 1000))")
    connection.execute("INSERT INTO t DEFAULT VALUES")
    ((milliseconds,),) = connection.execute("SELECT at FROM t")
    assert milliseconds == pytest.approx(time.time() * 1000, abs=5_000)
    connection.close()
    with sqlite_file.held(file):
        made = sqlite_file.engine(file)
        with made.connect() as opened:
            assert opened.exec_driver_sql("SELECT unixepoch('subsec')").scalar() == pytest.approx(
                time.time(), abs=5
            )
        made.dispose()


async def test_threads_are_sixteen_and_the_loop_gets_its_own_back(settings: EngineSettings) -> None:
    before = await asyncio.to_thread(threading.current_thread)
    async with engine.opened(settings) as running:
        stage.go_on.set()
        for number in range(60):
            await running.start("takes", f"run-{number}", number)
        await asyncio.gather(*(running.result(f"run-{number}") for number in range(60)))
        names = [each.name for each in threading.enumerate()]
        assert sum(name.startswith("dbos-executor-") for name in names) <= 16
    after = await asyncio.to_thread(threading.current_thread)
    assert before.name.split("_")[0] == after.name.split("_")[0]
    assert not [each for each in threading.enumerate() if each.name.startswith(("dbos", "queue-worker"))]


async def test_while_an_engine_closes_others_have_threads(settings: EngineSettings) -> None:
    is_over = asyncio.Event()

    async def use_threads() -> int:
        used = 0
        while not is_over.is_set():
            used += await asyncio.to_thread(len, "x")
        return used

    async with engine.opened(settings):
        using = asyncio.create_task(use_threads())
        await asyncio.sleep(0)
    is_over.set()
    assert await using > 0


class Evil:
    def __init__(self, marker: pathlib.Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return pathlib.Path.touch, (self.marker,)


async def test_a_pickle_in_the_database_is_never_read(
    settings: EngineSettings, file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    async with engine.opened(settings) as running:
        await running.start("takes", "a", 1)
        await running.start("takes", "b", 1)
    marker = tmp_path / "was-here"
    evil = base64.b64encode(pickle.dumps(Evil(marker))).decode()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE workflow_input SET inputs = ? WHERE workflow_uuid = 'a'", (evil,))
        connection.execute("UPDATE workflow_status SET inputs = ? WHERE workflow_uuid = 'a'", (evil,))
        connection.execute("UPDATE workflow_status SET serialization = 'py_pickle' WHERE workflow_uuid = 'a'")
        connection.commit()
    stage.go_on.set()
    async with engine.opened(settings) as running:
        with pytest.raises(RunFailed):
            await asyncio.wait_for(running.result("a"), SECONDS)
        assert await running.result("b") == 1
    assert not marker.exists()


async def test_another_version_leaves_a_run_alone_and_says_so(
    settings: EngineSettings, caplog: pytest.LogCaptureFixture
) -> None:
    await leave_after_first_step(settings, "a")
    stage.go_on.set()
    async with engine.opened(dataclasses.replace(settings, version="2")) as running:
        assert "runs of version 1 wait for a process of that version" in caplog.text
        with pytest.raises(errors.Conflict, match="started under version 1"):
            await running.result("a")
        await asyncio.sleep(1.3)
        assert (await running.status("a")).status is RunStatus.RUNNING
        assert stage.told == ["first"]
    async with engine.opened(settings) as running:
        assert await running.result("a") == ["first", "second"]
    assert stage.told == ["first", "second"]


async def test_a_workflow_changed_under_its_version_fails_its_runs_and_says_so(
    settings: EngineSettings,
) -> None:
    await leave_after_first_step(settings, "a")
    stage.steps = ("another", "second")
    async with engine.opened(settings) as running:
        with pytest.raises(RunFailed, match="its workflow was changed") as raised:
            await running.result("a")
    assert raised.value.kind == "WorkflowChanged"
    assert stage.told == ["first"]


async def test_a_patch_changes_new_runs_and_leaves_old_ones_as_they_were(settings: EngineSettings) -> None:
    await leave_after_first_step(settings, "old")
    async with engine.opened(settings) as running:
        stage.go_on.set()
        assert await running.result("old") == ["first", "second"]
        stage.is_patched = True
        await running.start("two-steps", "new")
        assert await running.result("new") == ["first", "one more", "second"]


async def test_a_run_whose_progress_cannot_be_stored_is_no_failed_run(
    settings: EngineSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine.opened(settings) as running:
        stage.engine = running
        await running.start("storage-fails", "a")
        with pytest.raises(errors.ServiceUnavailable, match="goes on when the platform is started again"):
            await asyncio.wait_for(running.result("a"), SECONDS)
        set_query_only(running, "OFF")
        assert "its progress could not be stored" in caplog.text
    stage.go_on.set()
    async with engine.opened(settings) as running:
        assert await running.result("a") == "stored"


async def test_whoever_waits_while_the_engine_closes_is_told(settings: EngineSettings) -> None:
    async with engine.opened(settings) as running:
        await running.start("takes", "a", 1)
        waiter = asyncio.create_task(running.result("a"))
        await asyncio.sleep(0.2)
    for call in (waiter, running.result("a"), running.status("a"), running.start("takes", "b", 1)):
        with pytest.raises(errors.ServiceUnavailable):
            await call
