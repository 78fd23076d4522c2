"""An application's start-up and shutdown under uvicorn, in place of uvicorn's own.

uvicorn's logs what fails there and exits with a code; this one raises it, so that whoever
started the server can say what is wrong in one line.
"""

import asyncio
from typing import Any

from starlette.types import Message
from uvicorn.config import Config


class Lifespan:
    """One task for both ends: what the application enters at start-up it leaves in the same task."""

    should_exit = False

    def __init__(self, config: Config) -> None:
        self.state: dict[str, Any] = {}
        self._app = config.loaded_app
        self._scope = {
            "type": "lifespan",
            "asgi": {"version": config.asgi_version, "spec_version": "2.0"},
            "state": self.state,
        }
        self._requests: asyncio.Queue[Message] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Only begins: uvicorn opens its sockets after this."""
        self._task = asyncio.create_task(self._run())
        self._requests.put_nowait({"type": "lifespan.startup"})

    async def started(self) -> None:
        """Returns when the application has started.

        Raises:
            Exception: what the application raised.
        """
        if self._task is not None:
            await self._answer(self._task)

    async def shutdown(self) -> None:
        """
        Raises:
            Exception: what the application raised.
        """
        if self._task is not None and not self._task.done():
            self._answered.clear()
            self._requests.put_nowait({"type": "lifespan.shutdown"})
            await self._answer(self._task)
            await self._task

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._requests.get, self._send)
        finally:
            self._answered.set()

    async def _answer(self, task: asyncio.Task[None]) -> None:
        try:
            await self._answered.wait()
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        if self._failure is not None:
            await task
            raise RuntimeError(self._failure)
        if task.done():
            await task

    async def _send(self, message: Message) -> None:
        if message["type"].endswith(".failed"):
            self._failure = message.get("message") or message["type"]
        self._answered.set()
