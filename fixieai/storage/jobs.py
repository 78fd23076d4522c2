"""Work that an event loop hands to a database thread, and the way of its outcome back."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from fixieai.storage.transaction import Transaction

Work = Callable[[Transaction], Any]


class Job:
    """Made on the event loop; run, then delivered, by a thread. `created` is by the monotonic clock."""

    __slots__ = ("_error", "_loop", "_result", "_work", "created", "future")

    def __init__(self, work: Work) -> None:
        self._work = work
        self.created = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self, transaction: Transaction) -> None:
        self._error = None
        self._result = self._work(transaction)

    def fail(self, error: BaseException) -> None:
        # A future refuses StopIteration, and whoever waits for it would wait for ever.
        self._error = RuntimeError(repr(error)) if isinstance(error, StopIteration) else error

    def _settle(self) -> None:
        if self.future.done():  # the task that waited was cancelled
            return
        if self._error is not None:
            self.future.set_exception(self._error)
        else:
            self.future.set_result(self._result)

    @staticmethod
    def deliver(jobs: Iterable["Job"]) -> None:
        """Called by the thread that ran them. Wakes each event loop once."""
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
        for job in jobs:
            by_loop[job._loop].append(job)
        for loop, its_jobs in by_loop.items():
            try:
                loop.call_soon_threadsafe(_settle_all, its_jobs)
            except RuntimeError:
                continue  # the loop was closed: nobody waits any more


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        job._settle()
