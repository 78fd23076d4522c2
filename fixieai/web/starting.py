"""An application that is asked before its start-up is done: requests wait for it, but for its probes."""

import asyncio
from collections.abc import Container, Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


class Starting:
    """ASGI application around `app`. `finish(state)` says that the start-up is done, with its state.

    A probe that says whether the application is ready has to be answered before it is.
    """

    def __init__(self, app: ASGIApp, probes: Container[str]) -> None:
        self._app = app
        self._probes = probes
        self._state: Mapping[str, Any] = {}
        self._is_done = asyncio.Event()

    @property
    def is_done(self) -> bool:
        return self._is_done.is_set()

    def finish(self, state: Mapping[str, Any]) -> None:
        self._state = state
        self._is_done.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_early = scope["type"] == "http" and not self.is_done
        if is_early and scope["path"] not in self._probes:
            await self._is_done.wait()
            scope["state"].update(self._state)  # it had none when the request came
        await self._app(scope, receive, send)
