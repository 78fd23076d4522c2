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
import contextvars
import functools
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeVar

import sqlalchemy
from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID, WorkflowStatus, _dbos, _serialization
from dbos import error as dbos_errors

from fixieai import errors
from fixieai.storage import postgres_errors, sqlite_errors
from fixieai.workflows import json_values
from fixieai.workflows.failures import NotJson, RunFailed, StepFailed, Suspended
from fixieai.workflows.run_watch import RunWatch

T = TypeVar("T")
Function = Callable[..., Awaitable[Any]]

THREADS = 16
FINISHED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_NAME = "fixie"
_SCHEMA = "durable"
_POOL_SIZE = 5
_SLICE = 200
_SECONDS_BETWEEN_LOOKS = 1.0
# A changed workflow, in DBOS' words.
_CHANGED = (dbos_errors.DBOSUnexpectedStepError, dbos_errors.DBOSStepNondeterminismError)
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


class Runtime:
    """The one instance of DBOS in this process, on the event loop that launched it."""

    def __init__(
        self, database: sqlalchemy.Engine, explain: Callable[[BaseException], BaseException]
    ) -> None:
        self._database = database
        self._explain = explain
        self._registered: dict[str, Function] = {}
        self.watch = RunWatch()
        self.executor_id = ""
        self.version = ""

    async def launch(self, version: str, executor_id: str | None, queues: Mapping[str, int]) -> None:
        self.version = version
        self.executor_id = executor_id or secrets.token_hex(8)
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_engine": self._database,
            "dbos_system_schema": _SCHEMA,
            "application_version": version,
            "executor_id": self.executor_id,
            "serializer": Codec(),
            "max_executor_threads": THREADS,
            "log_level": "WARNING",
            # Listening pays for messages between workflows, which we do not use, with 100 wake-ups a second.
            "use_listen_notify": False,
        }
        DBOS(config=config)
        with self._explained():
            DBOS.launch()
            for name, concurrency in queues.items():
                await DBOS.register_queue_async(name, worker_concurrency=concurrency)

    def register(self, name: str, function: Function) -> None:
        @functools.wraps(function)
        async def run(*args: Any) -> Any:
            return await self._run(name, function, args)

        self._registered[name] = DBOS.workflow(name=name)(run)

    async def start(self, name: str, run_id: str, args: tuple[Any, ...], queue: str | None) -> None:
        if name not in self._registered:
            raise errors.NotFound(f"No workflow named {name!r} was registered before the engine was opened.")
        with SetWorkflowID(run_id), self._explained():
            if queue is None:
                await DBOS.start_workflow_async(self._registered[name], *args)  # type: ignore[arg-type]
            else:
                await DBOS.enqueue_workflow_async(queue, self._registered[name], *args)  # type: ignore[arg-type]

    async def read(self, run_id: str) -> WorkflowStatus:
        with self._explained():
            found = await DBOS.get_workflow_status_async(run_id)
        if found is None:
            raise errors.NotFound(f"There is no run {run_id!r}.")
        return found

    async def cancel(self, run_id: str) -> None:
        with self._explained():
            await DBOS.cancel_workflow_async(run_id)
        self.watch.cancel(run_id)

    async def unfinished(self) -> list[WorkflowStatus]:
        """Of every version, without what they hold; a thousand at most."""
        with self._explained():
            return await DBOS.list_workflows_async(
                status=["PENDING", "ENQUEUED"], limit=1_000, load_input=False, load_output=False
            )

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
                    limit=_SLICE,
                    load_input=False,
                    load_output=False,
                )
                await DBOS.delete_workflows_async([each.workflow_id for each in found])
            forgotten += len(found)
            if len(found) < _SLICE:
                return forgotten

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
        with self.watch.running(run_id):
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
        try:
            yield
        except sqlalchemy.exc.DBAPIError as error:
            raise self._explain(error.orig or error) from error
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise errors.ServiceUnavailable("The database is too busy at the moment.") from error
        except dbos_errors.DBOSConflictingWorkflowError as error:
            raise errors.Conflict("There is a run with that id already, of another workflow.") from error
        except NotJson as error:
            raise errors.UnprocessableContent(str(error)) from error


@contextlib.asynccontextmanager
async def launched(runtime: Runtime, workflows: Mapping[str, Function]) -> AsyncIterator[Callable[[], Any]]:
    """DBOS' rails, for as long as the block; it is given what launches."""
    if _dbos._dbos_global_instance is not None:
        raise errors.Conflict(
            "This process runs DBOS already, for something else: it can be there once only."
        )
    loop = asyncio.get_running_loop()
    threads = getattr(loop, "_default_executor", None)
    with _quiet(), _no_pickle():
        try:
            for name, function in workflows.items():
                runtime.register(name, function)
            yield None
        finally:
            await runtime.watch.close()
            await _destroy(loop)
            loop.set_default_executor(threads or concurrent.futures.ThreadPoolExecutor())


async def detached(work: Coroutine[Any, Any, T]) -> T:
    """Awaits it apart from a workflow that calls this: what it reads and starts is no step of it."""
    return await asyncio.get_running_loop().create_task(work, context=contextvars.Context())
