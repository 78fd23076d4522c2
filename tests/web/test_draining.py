"""Servers on their way up and down: probes are answered meanwhile, and nobody is cut off."""

import asyncio
import contextlib
import http.client
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fixieai.web import server as servers
from fixieai.web.server import BackgroundServer, ServerSettings, bind, run_foreground, url_of

_SECONDS = 30


class _Application:
    """Starts when `may_start` is set; what it is told on its way down is in `told`."""

    def __init__(self) -> None:
        self.is_starting = threading.Event()
        self.may_start = threading.Event()
        self.is_ready = False
        self.told: list[str] = []
        self.app = Starlette(
            routes=[Route("/", self._hello), Route("/readyz", self._ready)], lifespan=self._lifespan
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[dict[str, object]]:
        self.is_starting.set()
        await asyncio.to_thread(self.may_start.wait, _SECONDS)
        self.is_ready = True
        yield {
            "name": "started",
            servers.ON_DRAINING: self._drain,
            servers.ON_STOPPING: lambda: self.told.append("stopping"),
        }

    def _drain(self) -> None:
        self.told.append("draining")
        self.is_ready = False

    async def _hello(self, request: Request) -> Response:
        return PlainTextResponse(request.state.name)

    async def _ready(self, _: Request) -> Response:
        return PlainTextResponse("", 200 if self.is_ready else 503)


class _Client:
    """One connection, which is kept open as long as the server lets it."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=_SECONDS)

    def get(self, path: str) -> tuple[int, str, str | None]:
        """Status, body, and what the server says of the connection."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        return response.status, response.read().decode(), response.headers["connection"]

    def close(self) -> None:
        self._connection.close()


def _get(url: str, path: str) -> tuple[int, str, str | None]:
    with contextlib.closing(_Client(url)) as client:
        return client.get(path)


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_while_it_starts_probes_are_answered_and_requests_wait() -> None:
    application = _Application()
    settings = ServerSettings(grace_seconds=1, probes=frozenset({"/readyz"}))
    server = BackgroundServer(application.app, bind("127.0.0.1", 0), settings)
    starting = threading.Thread(target=server.start)
    starting.start()
    answers: list[tuple[int, str, str | None]] = []
    asking = threading.Thread(target=lambda: answers.append(_get(server.url, "/")))
    asking.start()

    before = _get(server.url, "/readyz")[0]
    assert not answers
    application.may_start.set()
    starting.join()
    asking.join()

    assert before == 503
    assert answers == [(200, "started", None)]
    assert _get(server.url, "/readyz")[0] == 200
    server.stop()


def test_a_stop_in_mid_start_up_waits_for_it_and_ends() -> None:
    application = _Application()

    def stop() -> None:
        assert application.is_starting.wait(_SECONDS)
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0.2)
        application.may_start.set()

    threading.Thread(target=stop).start()
    began = time.monotonic()

    run_foreground(application.app, bind("127.0.0.1", 0), ServerSettings(drain_seconds=30))

    assert time.monotonic() - began < 20
    assert application.told == ["stopping"]


def _stop_by(number: signal.Signals, drain_seconds: float) -> tuple[list[object], float]:
    """What a client with a connection of its own saw since the signal, and how long the end took."""
    application = _Application()
    application.may_start.set()
    sock = bind("127.0.0.1", 0)
    url = url_of(sock)
    seen: list[object] = []
    signalled = [0.0]

    def ask() -> None:
        client = _Client(url)
        seen.append(client.get("/"))
        signalled[0] = time.monotonic()
        signal.raise_signal(number)
        _until(lambda: bool(application.told))
        with contextlib.suppress(ConnectionError):
            seen.append(client.get("/"))  # over the connection from before
            seen.append(client.get("/readyz"))  # over a new one
        client.close()

    run_foreground(application.app, sock, ServerSettings(drain_seconds=drain_seconds), on_started=ask)
    return [*seen, *application.told], time.monotonic() - signalled[0]


def test_sigterm_takes_readiness_away_first_and_sends_clients_elsewhere() -> None:
    seen, seconds = _stop_by(signal.SIGTERM, 1)

    assert seen == [
        (200, "started", None),
        (200, "started", "close"),
        (503, "", "close"),
        "draining",
        "stopping",
    ]
    assert 1 <= seconds < 20


def test_ctrl_c_does_not_wait() -> None:
    seen, seconds = _stop_by(signal.SIGINT, 30)

    assert "draining" not in seen
    assert seconds < 20


def test_a_second_signal_ends_the_draining() -> None:
    application = _Application()
    application.may_start.set()

    def twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        _until(lambda: bool(application.told))
        signal.raise_signal(signal.SIGTERM)

    began = time.monotonic()
    with pytest.raises(SystemExit, match="143"):
        run_foreground(
            application.app, bind("127.0.0.1", 0), ServerSettings(drain_seconds=30), on_started=twice
        )
    assert time.monotonic() - began < 20


def test_a_connection_that_is_being_accepted_as_the_server_stops_does_not_hold_it() -> None:
    sock = bind("127.0.0.1", 0)
    late = socket.socket()

    async def stop(_: Request) -> Response:
        late.connect(sock.getsockname())
        late.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)  # noqa: ASYNC251 - then the loop has to accept and to stop in the same turn
        return PlainTextResponse("")

    async def hello(_: Request) -> Response:
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/stop", stop), Route("/hello", hello)])
    url = url_of(sock)

    run_foreground(app, sock, ServerSettings(grace_seconds=5), on_started=lambda: print(_get(url, "/stop")))

    with late:
        assert b"\r\nconnection: close\r\n" in late.recv(10_000)


def test_one_server_that_drains_leaves_others_alone() -> None:
    one, other = (servers.build_config(_Application().app) for _ in range(2))
    one.http_protocol_class.is_leaving = True  # type: ignore[union-attr]

    assert not other.http_protocol_class.is_leaving  # type: ignore[union-attr]
