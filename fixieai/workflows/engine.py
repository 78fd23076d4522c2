"""The durable engine: registering workflows, opening the one engine of this process, runs.

    @workflow("refund")
    async def refund(order: str) -> str:
        amount = await step("look up", find_amount, order)
        return await step("pay back", pay_back, order, amount)

    async with opened(EngineSettings(url="sqlite:////srv/fixie/durable.db", version="1")) as engine:
        await engine.start("refund", "refund-17", "order 17")
        print(await engine.result("refund-17"))

The package's docstring says what holds, and what workflows must keep to.
"""

import asyncio
import contextlib
import contextvars
import inspect
import logging
import re
import secrets
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from fixieai import errors
from fixieai.storage import database
from fixieai.workflows import json_values
from fixieai.workflows.failures import NotJson, RunCancelled, RunFailed
from fixieai.workflows.runs import Run, RunStatus

if TYPE_CHECKING:
    from fixieai.workflows.dbos_runtime import Runtime
    from fixieai.workflows.run_watch import Waiter

Workflow = Callable[..., Awaitable[Any]]
T = TypeVar("T")
W = TypeVar("W", bound=Workflow)

_POSTGRES = ("postgres", "postgresql")
_NAME = re.compile(r"[\w.-]{1,64}")
_ID = re.compile(r"[!-~]{1,200}")
# How often a run is looked at that is not under way here: another process can end it; where there is
# none, it can still be found unreadable before it begins.
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_LOOKS_ALONE = 5.0
_log = logging.getLogger("fixieai.workflows")
_workflows: dict[str, Workflow] = {}
_calls: set[asyncio.Task[Any]] = set()
_is_taken = False
_runtime: "Runtime | None" = None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`url`: `sqlite:///absolute/path/durable.db`, or that of a Postgres database (in a schema of its own).

    `version` names the code of the workflows. `executor_id` names this process: on Postgres two live
    ones must never share it, and the default is a new one each time; on SQLite it does not matter.
    `queues`: how many runs of each queue this process has under way at most.
    """

    url: str
    version: str
    executor_id: str | None = None
    queues: Mapping[str, int] = field(default_factory=dict)


def workflow(name: str) -> Callable[[W], W]:
    """Registers an async function under a name, before an engine is opened; runs are stored with the name.

    The function itself stays what it is.

    Raises:
        TypeError: the function is not async.
        ConfigurationError: the name is another's, or an engine is open already.
    """
    if not _NAME.fullmatch(name):
        raise errors.ConfigurationError(f"{name!r}: names of workflows are letters, digits, `_`, `-`, `.`")

    def register(function: W) -> W:
        if not _is_async(function):
            raise TypeError(f"workflow {name!r}: write it with `async def`; others would block the platform")
        if _is_taken:
            raise errors.ConfigurationError(
                f"workflow {name!r}: register it before the engine is opened, or its unfinished runs fail"
            )
        known = _workflows.get(name)
        if known is not None and _place(known) != _place(function):
            raise errors.ConfigurationError(f"There are two workflows named {name!r}.")
        _workflows[name] = function
        return function

    return register


async def step(name: str, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Inside a workflow: what the async function returns, or returned when this run first came here.

    Raises:
        StepFailed: it raised an error, now or then.
        RuntimeError: this is no workflow.
    """
    return await _inside(f"step {name!r}").step(name, function, args)


async def patched(name: str) -> bool:
    """Inside a workflow: whether this run is to do what was changed under that name.

    True for runs that come here for the first time, False for those that went past before the change.
    """
    return await _inside(f"patched({name!r})").patched(name)


def step_key() -> str:
    """Inside a step: text that is the same whenever this step of this run is tried again."""
    runtime = _runtime
    key = runtime.step_key() if runtime is not None else None
    if key is None:
        raise RuntimeError("step_key() is for the inside of a step")
    return key


@contextlib.asynccontextmanager
async def opened(settings: EngineSettings) -> AsyncIterator["Engine"]:
    """Runs workflows on this event loop until the block ends; what is unfinished then goes on next time.

    Raises:
        Conflict: this process has an engine open, or (SQLite) another process has the file.
        ConfigurationError: the settings or the file cannot work.
        ServiceUnavailable: Postgres cannot be reached.
    """
    global _is_taken, _runtime  # noqa: PLW0603 - one per process is what DBOS allows
    if not settings.version.strip():
        raise errors.ConfigurationError("The engine needs a version: it names the code of the workflows.")
    if _is_taken:
        raise errors.Conflict("This process has an engine open already; it can have one at a time.")
    _is_taken = True
    try:
        async with _launched(settings) as runtime:
            _runtime = runtime
            is_alone = not _is_postgres(settings.url)
            engine = Engine(runtime, settings, is_alone=is_alone)
            await engine._begin()
            yield engine
    finally:
        _is_taken, _runtime = False, None


class Engine:
    """Runs, by id. Whoever calls may also be a workflow: then it is no step, unless in one."""

    def __init__(self, runtime: "Runtime", settings: EngineSettings, *, is_alone: bool) -> None:
        self._runtime = runtime
        self._settings = settings
        self._is_alone = is_alone

    async def start(self, name: str, run_id: str, *args: Any, queue: str | None = None) -> None:
        """Returns once the run is stored. When there is one with that id, that one is meant.

        Raises:
            NotFound: no such workflow or queue.
            Conflict: the id is that of another workflow's run.
            UnprocessableContent: an argument is not JSON, or the id not 1-200 printable ASCII characters.
        """
        if name not in _workflows:
            raise errors.NotFound(f"There is no workflow {name!r}.")
        if queue is not None and queue not in self._settings.queues:
            raise errors.NotFound(f"There is no queue {queue!r}.")
        if not _ID.fullmatch(run_id):
            raise errors.UnprocessableContent("The id of a run is 1-200 printable ASCII characters.")
        try:
            json_values.checked(list(args), "the arguments")
        except NotJson as error:
            raise errors.UnprocessableContent(str(error)) from error
        await _apart(self._runtime.start(name, run_id, args, queue))

    async def status(self, run_id: str) -> Run:
        """Raises NotFound."""
        return await _apart(self._runtime.read(run_id))

    async def result(self, run_id: str) -> Any:
        """Waits for the end of the run; what its workflow returned.

        Raises:
            RunFailed, RunCancelled: it ended so.
            NotFound: there is no such run.
            Conflict: it waits for a process of another version (SQLite).
            ServiceUnavailable: it stopped where it is, as the engine closes or cannot store.
        """
        with self._runtime.watch.waiting(run_id) as waiter:
            return await self._end(run_id, waiter)

    async def cancel(self, run_id: str) -> None:
        """At once when it runs here, at its next step when it runs elsewhere; one that ended stays as it is.

        Raises NotFound.
        """
        await _apart(self._runtime.read(run_id))
        await _apart(self._runtime.cancel(run_id))

    async def take_over(self, dead_executor_ids: Sequence[str]) -> int:
        """Goes on with what these executors ran under this version; how many runs that is. Within 1-2 s.

        One of them that still lives stops each run at its next step.
        """
        dead = [each for each in dead_executor_ids if each != self._runtime.executor_id]
        return await _apart(self._runtime.take_over(dead)) if dead else 0

    async def forget(self, before: datetime) -> int:
        """Removes runs that ended before (a time with its zone), 200 at a time; how many it were."""
        if before.tzinfo is None:
            raise ValueError("forget() needs a time with its zone")
        return await _apart(self._runtime.forget(before))

    async def _begin(self) -> None:
        for name, concurrency in self._settings.queues.items():
            await self._runtime.add_queue(name, concurrency)
        unfinished = await self._runtime.unfinished()
        if self._is_alone:
            await self.take_over(sorted({each.executor_id for each in unfinished if each.executor_id}))
        others = sorted({each.version or "" for each in unfinished} - {self._settings.version})
        if others:
            level = logging.WARNING if self._is_alone else logging.INFO
            _log.log(level, "runs of version %s wait for a process of that version", ", ".join(others))

    async def _end(self, run_id: str, waiter: "Waiter") -> Any:
        watch = self._runtime.watch
        while True:
            waiter.changed.clear()
            if not watch.is_here(run_id) and not watch.is_expected(run_id):
                run = await _apart(self._runtime.read(run_id))
                if run.has_ended:
                    return _outcome(run)
                self._check_will_end(run)
            await self._change(run_id, waiter)
            if (result := waiter.result()) is not None:
                # A value of its own for each who waits, as from the database.
                return json_values.decode(json_values.encode(result[0]))

    def _check_will_end(self, run: Run) -> None:
        self._runtime.watch.check(run.id)
        if self._is_alone and run.version != self._settings.version:
            raise errors.Conflict(
                f"Run {run.id} was started under version {run.version}, and goes on when an engine of that "
                f"version is opened; this one is {self._settings.version}."
            )

    async def _change(self, run_id: str, waiter: "Waiter") -> None:
        """Returns at a change that this process makes; for what others do, after a while."""
        seconds = _SECONDS_BETWEEN_LOOKS_ALONE if self._is_alone else _SECONDS_BETWEEN_LOOKS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self._runtime.watch.is_here(run_id) else seconds):
                await waiter.changed.wait()


@contextlib.asynccontextmanager
async def _launched(settings: EngineSettings) -> AsyncIterator["Runtime"]:
    # In a thread: importing DBOS takes half a second, in which others go on.
    dbos_runtime = await asyncio.to_thread(_import_runtime)
    executor_id = settings.executor_id or secrets.token_hex(8)
    if _is_postgres(settings.url):
        place = dbos_runtime.on_postgres(settings.url)
    else:
        place = dbos_runtime.on_sqlite(database.sqlite_path(settings.url))
    async with dbos_runtime.launched(place, _workflows, settings.version, executor_id) as runtime:
        yield runtime


async def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Outside the context of a workflow that calls this: what it reads and starts is no step of it.

    It is finished also when the caller goes away: a run that was stored and not begun would wait for the
    next process.
    """
    task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
    _calls.add(task)
    task.add_done_callback(_end_of_call)
    return await asyncio.shield(task)


def _end_of_call(task: "asyncio.Task[Any]") -> None:
    _calls.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be there to be told


def _import_runtime() -> Any:
    try:
        from fixieai.workflows import dbos_runtime  # noqa: PLC0415 - an extra, and half a second
    except ModuleNotFoundError as error:
        raise errors.ConfigurationError(
            f"Durable workflows need {error.name}: pip install 'fixieai[workflows]'."
        ) from error
    return dbos_runtime


def _inside(what: str) -> "Runtime":
    if _runtime is None or not _runtime.is_workflow():
        raise RuntimeError(f"{what} is for the inside of a workflow, and not of a step")
    return _runtime


def _is_postgres(url: str) -> bool:
    return urllib.parse.urlsplit(url).scheme in _POSTGRES


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function)


def _place(function: Workflow) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def _outcome(run: Run) -> Any:
    if run.status is RunStatus.DONE:
        return run.output
    if run.status is RunStatus.CANCELLED:
        raise RunCancelled(f"Run {run.id} was cancelled.")
    if isinstance(run.error, RunFailed):
        raise run.error
    raise RunFailed("GaveUp", f"Run {run.id} was resumed too often, or cannot be read.")
