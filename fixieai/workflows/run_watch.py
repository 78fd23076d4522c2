"""The runs that are under way in this process, and those who wait for one: woken, so that nobody polls."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from fixieai import errors
from fixieai.workflows.failures import RunFailed

_log = logging.getLogger("fixieai.workflows")


class Waiter:
    """`changed` at each change of the run that this process makes; `ended` is its task, once that has."""

    __slots__ = ("changed", "ended")

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.ended: asyncio.Task[object] | None = None

    def result(self) -> tuple[object] | None:
        """What the run returned; None unless it ended well."""
        task = self.ended
        if task is None or task.cancelled() or task.exception() is not None:
            return None
        return (task.result(),)


class RunWatch:
    """A run's task ends after its outcome was stored; then whoever waits for it looks."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._waiting: dict[str, set[Waiter]] = {}
        self._expected: set[str] = set()
        self._stopped: set[str] = set()
        self.is_closing = False

    def expect(self, run_id: str) -> None:
        """It was just stored, to begin here at once."""
        if run_id not in self._tasks:
            self._expected.add(run_id)

    def begin(self, run_id: str) -> None:
        """The current task is that of this run, until it ends."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a run begins in its task")
        self._tasks[run_id] = task
        self._stopped.discard(run_id)
        self._expected.discard(run_id)
        self._wake(run_id)
        task.add_done_callback(lambda task: self._ended(run_id, task))

    def is_here(self, run_id: str) -> bool:
        return run_id in self._tasks

    def is_expected(self, run_id: str) -> bool:
        """True once: whoever then waits in vain has to look."""
        is_expected = run_id in self._expected
        self._expected.discard(run_id)
        return is_expected

    def check(self, run_id: str) -> None:
        """Raises ServiceUnavailable for a run that stopped unfinished, or when all are made to."""
        if self.is_closing or run_id in self._stopped:
            raise errors.ServiceUnavailable(
                "This run stopped; it goes on when the platform is started again."
            )

    def cancel(self, run_id: str) -> None:
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()
        self._wake(run_id)

    async def close(self) -> None:
        """Stops every run where it is, unfinished."""
        self.is_closing = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for run_id in list(self._waiting):
            self._wake(run_id)

    @contextlib.contextmanager
    def waiting(self, run_id: str) -> Iterator[Waiter]:
        waiter = Waiter()
        self._waiting.setdefault(run_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            self._waiting[run_id].discard(waiter)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    def _ended(self, run_id: str, task: "asyncio.Task[object]") -> None:
        if self._tasks.get(run_id) is task:
            del self._tasks[run_id]
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, RunFailed) and not self.is_closing:
                self._stopped.add(run_id)
                _log.error("run %s stopped, its progress could not be stored: %s", run_id, _cause(error))
        self._wake(run_id, task)

    def _wake(self, run_id: str, ended: "asyncio.Task[object] | None" = None) -> None:
        for waiter in self._waiting.get(run_id, ()):
            waiter.ended = ended
            waiter.changed.set()


def _cause(error: BaseException) -> str:
    return type(error.__cause__ or error).__name__
