"""Counts requests by route and status: the outermost layer, around what refuses them, too."""

import time
from collections.abc import Sequence
from typing import Any

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fixieai.platform.metrics import OTHER, Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestCounts:
    """ASGI application around `app`, whose routes are `routes`."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route], metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._paths: dict[Any, str] = {route.endpoint: route.path for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.request_seconds.observe(time.monotonic() - began)
                self._count(scope, message["status"])
            await send(message)

        await self._app(scope, receive, counted_send)

    def _count(self, scope: Scope, status: int) -> None:
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        # The router has put it there, unless there is no such route or nobody got so far.
        route = self._paths.get(scope.get("endpoint"), OTHER)
        self._metrics.requests.add(method, route, str(status))
