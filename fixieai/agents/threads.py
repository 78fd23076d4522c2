"""Threads for an author's functions, which may block for as long as they like.

Daemon threads, unlike those of anyio and of concurrent.futures: a program that was told to end
does so, also while a function in it never returns.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import anyio.to_thread

_T = TypeVar("_T")
_IDLE_SECONDS = 10.0


async def run(function: Callable[..., _T], *arguments: object) -> _T:
    """What the function returns or raises; as many run at once as anyio's limiter allows (40).

    When the caller is cancelled, the function goes on in its thread, which then counts no longer.
    """
    limiter = anyio.to_thread.current_default_thread_limiter()
    try:
        limiter.acquire_nowait()  # `acquire` would go around the event loop once, even with threads to spare
    except anyio.WouldBlock:
        await limiter.acquire()
    try:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        _worker().jobs.put(_Job(function, arguments, loop, future))
        return await future
    finally:
        limiter.release()


class _Job:
    """One call of a function, and where its outcome goes."""

    __slots__ = ("_arguments", "_function", "_future", "_loop")

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[object, ...],
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
    ) -> None:
        self._function = function
        self._arguments = arguments
        self._loop = loop
        self._future = future

    def run(self) -> Callable[[], None]:
        """Calls the function; the result tells the event loop."""
        try:
            result = self._function(*self._arguments)
        except StopIteration as error:  # a future takes none
            failure = RuntimeError("the function raised StopIteration")
            failure.__cause__ = error
            return lambda: self._tell(self._future.set_exception, failure)
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            raised = error
            return lambda: self._tell(self._future.set_exception, raised)
        return lambda: self._tell(self._future.set_result, result)

    def _tell(self, settle: Callable[[Any], None], outcome: object) -> None:
        def in_loop() -> None:
            if not self._future.done():
                settle(outcome)

        try:
            self._loop.call_soon_threadsafe(in_loop)
        except RuntimeError:
            return  # the loop was closed: nobody waits any more


class _Worker(threading.Thread):
    """Takes one job after the other, and ends when none has come for a while."""

    def __init__(self) -> None:
        super().__init__(name="fixie-func", daemon=True)
        self.jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()

    def run(self) -> None:
        while (job := self._next()) is not None:
            tell = job.run()
            _idle.append(self)  # before anybody is told: who asks next finds this thread
            tell()
            del job, tell  # no argument and no result is kept in memory until the next job

    def _next(self) -> _Job | None:
        try:
            return self.jobs.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            pass
        try:
            _idle.remove(self)
        except ValueError:  # taken a moment ago, or new: its job is on the way
            return self.jobs.get()
        return None


_idle: list[_Worker] = []


def _worker() -> _Worker:
    try:
        return _idle.pop()
    except IndexError:
        worker = _Worker()
        worker.start()
        return worker
