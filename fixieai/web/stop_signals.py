"""SIGINT and SIGTERM while a server runs: the first asks it to stop, the second makes it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, MutableMapping
from types import FrameType
from typing import Any, Protocol, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stoppable(Protocol):
    """A server of uvicorn's kind."""

    should_exit: bool
    force_exit: bool

    def drain(self) -> float:
        """Tells everybody to go elsewhere; for how many seconds it is to serve on."""
        ...


class StopSignals:
    """SIGTERM drains the server before it stops it; Ctrl-C is somebody who does not want to wait.

    `before_stop` runs in a thread, and the server goes on until it returns.
    """

    def __init__(
        self, server: Stoppable, loop: asyncio.AbstractEventLoop, before_stop: Callable[[], None] | None
    ) -> None:
        self._server = server
        self._loop = loop
        self._before_stop = before_stop
        self._is_asked = False
        self._task: asyncio.Task[Any] | None = None
        self._previous: MutableMapping[int, Any] = {}
        self.exit_code = 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    async def watch(self, serving: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.current_task()
        await serving

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if not (self._is_asked or self._server.should_exit):
            self._is_asked = True
            if number == signal.SIGTERM:
                self._loop.call_soon_threadsafe(self._drain)
            else:
                self._ask_to_stop()
            return
        self.exit_code = 128 + number
        self._server.force_exit = True
        self.__exit__()
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _drain(self) -> None:
        self._loop.call_later(self._server.drain(), self._ask_to_stop)

    def _ask_to_stop(self) -> None:
        if self._before_stop is None:
            self._server.should_exit = True
        else:
            threading.Thread(target=self._prepare, args=(self._before_stop,), daemon=True).start()

    def _prepare(self, before_stop: Callable[[], None]) -> None:
        try:
            before_stop()
        finally:
            self._server.should_exit = True
