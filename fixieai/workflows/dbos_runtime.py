"""DBOS, kept on rails. `engine` imports this module when an engine is opened; it takes half a second.

What DBOS does by itself and must not:

* Its default serializer is pickle, and a row may name it: whoever can write to the database would run
  code here. While an engine is open, that serializer refuses.
* It writes to the console, and logs the errors of workflows with what they hold. Both are off.
* It makes its 16 threads the event loop's default executor, and leaves it dead behind. It is put back.
* It has one instance per process, and ignores a second configuration. A second one is refused.
* Awaiting a result polls the database. Here the run itself wakes who waits.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import pathlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import sqlalchemy
from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID, WorkflowStatus, _core, _dbos, _serialization
from dbos import error as dbos_errors

from fixieai import errors
from fixieai.storage import postgres_errors, sqlite_errors
from fixieai.workflows import json_values, sqlite_file
from fixieai.workflows.failures import NotJson, RunFailed, StepFailed, Suspended, WorkflowChanged
from fixieai.workflows.run_watch import RunWatch
from fixieai.workflows.runs import Run, RunStatus

Function = Callable[..., Awaitable[Any]]

THREADS = 16
FINISHED = {
    "SUCCESS": RunStatus.DONE,
    "ERROR": RunStatus.FAILED,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": RunStatus.FAILED,
    "CANCELLED": RunStatus.CANCELLED,
}
_STATUSES = {"PENDING": RunStatus.RUNNING, **FINISHED}
_NAME = "fixie"
_SCHEMA = "durable"
SLICE = 200
_POOL_SIZE = 5
_CONNECT_SECONDS = 10
# For what others had begun on DBOS' threads, unless all of these wait for a database.
_SECONDS_TO_BEGIN = 1.0
_LINE = 200
_SAME = 30
_SECONDS_BETWEEN_LINES = 60
# A changed workflow, in DBOS' words.
_CHANGED = (dbos_errors.DBOSUnexpectedStepError, dbos_errors.DBOSStepNondeterminismError)
_ABOUT_RUNS = (
    "Exception encountered in asynchronous workflow",
    "Asyncio task cancelled",
    "DBOS failed to launch",
    "Error executing workflow",
    "Workflow ",
)
_log = logging.getLogger("fixieai.workflows")


class Codec(Serializer):
    """JSON around what is stored: `{"value": ...}`, or `{"error": [class, kind, message]}`."""

    def name(self) -> str:
        return "fixie_json"

    def serialize(self, data: Any) -> str:
        if isinstance(data, Exception):
            failed = data if isinstance(data, RunFailed) else RunFailed.of(data)
            is_step = isinstance(data, StepFailed)
            return json_values.encode({"error": [is_step, failed.kind, failed.message]})
        if type(data) is dict and data.keys() == {"args", "kwargs"} and type(data["args"]) is tuple:
            data = {**data, "args": list(data["args"])}
        return json_values.encode({"value": json_values.checked(data, "what is to be stored")})

    def deserialize(self, serialized_data: str) -> Any:
        stored = json_values.decode(serialized_data)
        if "error" in stored:
            is_step, kind, message = stored["error"]
            return (StepFailed if is_step else RunFailed)(kind, message)
        return stored["value"]


@dataclass(frozen=True, slots=True)
class Place:
    """A database, what its errors mean, and what is held as long as it is used."""

    database: sqlalchemy.Engine
    explain: Callable[[BaseException], BaseException]
    held: contextlib.AbstractContextManager[None]


class Runtime:
    """The one instance of DBOS in this process, on the event loop that launched it."""

    def __init__(self, place: Place, executor_id: str) -> None:
        self._place = place
        self.executor_id = executor_id
        self._registered: dict[str, Function] = {}
        self.watch = RunWatch()

    def launch(self, version: str) -> None:
        """On the thread of the event loop: that is where DBOS then runs workflows."""
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_engine": self._place.database,
            "dbos_system_schema": _SCHEMA,
            "application_version": version,
            "executor_id": self.executor_id,
            "serializer": Codec(),
            "max_executor_threads": THREADS,
            "log_level": "WARNING",
            # Listening pays for messages between workflows, which we do not use, with 100 wake-ups a second.
            "use_listen_notify": False,
            # Of what looks for such messages instead: closing waits for its next look.
            "notification_listener_polling_interval_sec": 0.2,
        }
        DBOS(config=config)
        with self._explained():
            DBOS.launch()

    async def add_queue(self, name: str, concurrency: int) -> None:
        """Once launched: DBOS keeps queues in the database."""
        with self._explained():
            await DBOS.register_queue_async(name, worker_concurrency=concurrency)

    def check(self) -> None:
        """Raises what is wrong with the database, from any thread."""
        with self._explained(), self._place.database.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))

    def register(self, name: str, function: Function) -> None:
        @functools.wraps(function)
        async def run(*args: Any) -> Any:
            return await self._run(name, function, args)

        self._registered[name] = DBOS.workflow(name=name)(run)

    async def start(self, name: str, run_id: str, args: tuple[Any, ...], queue: str | None) -> None:
        function: Any = self._registered[name]
        with SetWorkflowID(run_id), self._explained():
            if queue is None:
                handle = await DBOS.start_workflow_async(function, *args)
            else:
                handle = await DBOS.enqueue_workflow_async(queue, function, *args)
        if isinstance(handle, _core.WorkflowHandleAsyncTask):  # and not one of a run that was there before
            self.watch.expect(run_id)

    async def read(self, run_id: str) -> Run:
        with self._explained():
            found = await DBOS.get_workflow_status_async(run_id)
        if found is None:
            raise errors.NotFound(f"There is no run {run_id!r}.")
        return _as_run(found)

    async def cancel(self, run_id: str) -> None:
        with self._explained():
            await DBOS.cancel_workflow_async(run_id)
        self.watch.cancel(run_id)

    async def unfinished(self) -> list[Run]:
        """Of every version, without what they hold; a thousand at most."""
        with self._explained():
            found = await DBOS.list_workflows_async(
                status=["PENDING", "ENQUEUED"], limit=1_000, load_input=False, load_output=False
            )
        return [_as_run(each) for each in found]

    async def take_over(self, executor_ids: list[str]) -> int:
        loop = asyncio.get_running_loop()
        with self._explained():
            return len(await loop.run_in_executor(None, DBOS._recover_pending_workflows, executor_ids))

    async def forget(self, before: datetime) -> int:
        forgotten = 0
        while True:
            with self._explained():
                found = await DBOS.list_workflows_async(
                    status=list(FINISHED),
                    completed_before=before.isoformat(),
                    limit=SLICE,
                    load_input=False,
                    load_output=False,
                )
                await DBOS.delete_workflows_async([each.workflow_id for each in found])
            forgotten += len(found)
            if len(found) < SLICE:
                return forgotten

    def is_workflow(self) -> bool:
        return DBOS.workflow_id is not None and DBOS.step_id is None

    def step_key(self) -> str | None:
        return None if DBOS.step_id is None else f"{DBOS.workflow_id}:{DBOS.step_id}"

    async def step(self, name: str, function: Function, args: tuple[Any, ...]) -> Any:
        async def body() -> Any:
            with self._failing_as(StepFailed):
                return json_values.checked(await function(*args), f"the result of step {name!r}")

        with self._suspending(), _saying_that_it_was_changed(name):
            return await DBOS.run_step_async({"name": name}, body)

    async def patched(self, name: str) -> bool:
        with self._suspending(), _saying_that_it_was_changed(name):
            return await DBOS.patch_async(name)

    async def _run(self, name: str, function: Function, args: tuple[Any, ...]) -> Any:
        run_id = str(DBOS.workflow_id)
        self.watch.begin(run_id)
        try:
            with self._failing_as(RunFailed):
                return json_values.checked(await function(*args), f"the result of workflow {name!r}")
        except RunFailed as failed:
            _log.warning("run %s of workflow %s failed: %s", run_id, name, failed.kind)
            raise

    @contextlib.contextmanager
    def _failing_as(self, kind: type[RunFailed]) -> Iterator[None]:
        """What is raised while the engine closes is no outcome: whoever resumes the run does that again."""
        try:
            yield
        except Exception as error:
            if self.watch.is_closing:
                raise Suspended from error
            raise kind.of(error) from error

    @contextlib.contextmanager
    def _suspending(self) -> Iterator[None]:
        """An outcome that could not be stored is not the workflow's failure."""
        try:
            yield
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise Suspended from error

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """What is raised is what it means to whoever called."""
        if self.watch.is_closing:
            raise _closed()
        try:
            yield
        except Exception as error:
            meaning = _closed() if self.watch.is_closing else self._meaning(error)
            if meaning is error:
                raise
            raise meaning from error

    def _meaning(self, error: BaseException) -> BaseException:
        if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
            return self._place.explain(error.orig)
        if isinstance(error, sqlalchemy.exc.TimeoutError):
            return errors.ServiceUnavailable("The database is too busy at the moment.")
        if isinstance(error, dbos_errors.DBOSConflictingWorkflowError):
            return errors.Conflict("There is a run with that id already, of another workflow.")
        return error


def _closed() -> errors.ServiceUnavailable:
    return errors.ServiceUnavailable("The durable engine is closed, or about to be.")


def _as_run(found: WorkflowStatus) -> Run:
    return Run(
        id=found.workflow_id,
        workflow=found.name,
        status=_STATUSES.get(found.status, RunStatus.WAITING),
        version=found.app_version,
        executor_id=found.executor_id,
        output=found.output,
        error=found.error,
    )


def on_sqlite(path: pathlib.Path) -> Place:
    return Place(
        sqlite_file.engine(path), lambda error: sqlite_errors.explain(error, path), sqlite_file.held(path)
    )


def on_postgres(url: str) -> Place:
    from_pool = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS},
    )
    return Place(from_pool, postgres_errors.explain, contextlib.nullcontext())


@contextlib.asynccontextmanager
async def launched(
    place: Place, workflows: dict[str, Function], version: str, executor_id: str
) -> AsyncIterator[Runtime]:
    """DBOS for as long as the block. What it did to the process is undone afterwards."""
    if _dbos._dbos_global_instance is not None:
        raise errors.Conflict("This process runs DBOS for something else already; it can be there only once.")
    runtime = Runtime(place, executor_id)
    loop = asyncio.get_running_loop()
    threads = getattr(loop, "_default_executor", None)
    with place.held, _disposed(place.database), _quiet(), _without_pickle():
        await asyncio.to_thread(runtime.check)
        try:
            for name, function in workflows.items():
                runtime.register(name, function)
            runtime.launch(version)
            yield runtime
        finally:
            await runtime.watch.close()
            await _give_back(loop, threads or concurrent.futures.ThreadPoolExecutor())
            with concurrent.futures.ThreadPoolExecutor(1) as own:
                await loop.run_in_executor(own, functools.partial(DBOS.destroy, destroy_registry=True))


async def _give_back(loop: asyncio.AbstractEventLoop, threads: concurrent.futures.ThreadPoolExecutor) -> None:
    """Takes DBOS' threads from the loop before DBOS ends them, which cancels what still waits for one."""
    behind_all = loop.run_in_executor(None, int)
    loop.set_default_executor(threads)
    await asyncio.wait([behind_all], timeout=_SECONDS_TO_BEGIN)


@contextlib.contextmanager
def _disposed(database: sqlalchemy.Engine) -> Iterator[None]:
    try:
        yield
    finally:
        database.dispose()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Warnings go where our own do, except those about runs, which `_run` and the watch speak of."""
    logger = logging.getLogger("dbos")
    silent, quiet = logging.NullHandler(), _Quiet()
    logger.addHandler(silent)  # without one, DBOS adds its own, for the console
    logger.addFilter(quiet)
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeFilter(quiet)
        logger.removeHandler(silent)


class _Quiet(logging.Filter):
    """One line, without a traceback, and the same at most once a minute: while a database is away each of
    DBOS' threads complains every second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage().partition("\n")[0][:_LINE]
        if text.startswith(_ABOUT_RUNS):
            return False
        now, begin = time.monotonic(), text[:_SAME]
        if now - self._said.get(begin, -_SECONDS_BETWEEN_LINES) < _SECONDS_BETWEEN_LINES:
            return False
        self._said[begin] = now
        record.msg, record.args, record.exc_info = text, (), None
        return True


@contextlib.contextmanager
def _without_pickle() -> Iterator[None]:
    refused = _serialization.DefaultSerializer
    read, write = refused.deserialize, refused.serialize
    refused.deserialize = _refuse  # type: ignore[method-assign, assignment]
    # The failure of a run that holds a pickle is marked as one too.
    refused.serialize = _as_json  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        refused.deserialize, refused.serialize = read, write  # type: ignore[method-assign]


def _refuse(_self: object, _data: object) -> NoReturn:
    raise NotJson("stored with pickle, which is never read here")


def _as_json(_self: object, data: Any) -> str:
    return Codec().serialize(data)


@contextlib.contextmanager
def _saying_that_it_was_changed(step: str) -> Iterator[None]:
    try:
        yield
    except _CHANGED as error:
        raise WorkflowChanged(step) from error
