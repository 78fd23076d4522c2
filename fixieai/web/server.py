"""Running an ASGI application with uvicorn: in the main thread until a signal, or in a thread of its own.

sock = bind("127.0.0.1", 8180)
run_foreground(app, sock)                      # returns after Ctrl-C or SIGTERM

with BackgroundServer(app, bind("127.0.0.1", 0)) as server:
    ...server.url

An application whose lifespan yields a state with these in it, functions without arguments, has them
called on the way to its end:

    ON_DRAINING  SIGTERM came: everything goes on for `drain_seconds`, but each answer ends its connection,
                 so that clients and load balancers find another server
    ON_STOPPING  no new connections; requests in progress still have the grace time
"""

import asyncio
import contextlib
import dataclasses
import errno
import os
import socket
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from fixieai import errors
from fixieai.web import open_files
from fixieai.web.connections import ConnectionLimits, with_limits
from fixieai.web.lifespan import Lifespan
from fixieai.web.starting import Starting
from fixieai.web.stop_signals import StopSignals

ON_DRAINING = "on_draining"
ON_STOPPING = "on_stopping"
_BACKLOG = 2048
_TASKS_BEYOND_CONNECTIONS = 300
_JOIN_SECONDS = 5.0
_CANCEL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server treats its connections.

    Attributes:
        keep_alive_seconds: how long an idle connection stays open; longer than the pools of its
            clients keep theirs, so that it is the client who closes.
        grace_seconds: how long requests in progress may go on after a stop was asked for.
        drain_seconds: how long it serves on after SIGTERM. Ctrl-C does not wait.
        probes: paths that are asked while the application starts; other requests wait until it did.
    """

    keep_alive_seconds: int = 60
    grace_seconds: int = 10
    drain_seconds: float = 0.0
    probes: frozenset[str] = frozenset()
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)


_SETTINGS = ServerSettings()


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one (`url_of` tells which).

    Connections wait in it until a server runs, so nothing is refused meanwhile.

    Raises:
        ConfigurationError: the port is taken or not allowed, or the host is not this machine's.
    """
    if not 0 <= port <= 65535:  # getaddrinfo would take it modulo 65536
        raise errors.ConfigurationError(
            f"Cannot listen on {host}:{port}: a port is a number from 0 to 65535."
        )
    sock = None
    try:
        family, address = _resolve(host, port)
        # With the protocol named: asyncio turns Nagle's delay (40 ms an answer) off only then.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name == "posix":  # elsewhere it would let two programs share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise errors.ConfigurationError(_why_not(host, port, error)) from error
    return sock


def _resolve(host: str, port: int) -> tuple[int, Any]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # `localhost` is often ::1 first, and then nobody is found at 127.0.0.1.
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return family, address


def _why_not(host: str, port: int, error: OSError) -> str:
    place = f"{host}:{port}"
    if isinstance(error, socket.gaierror):
        return f"Cannot listen on {place}: the host name {host!r} is not known. Use 127.0.0.1."
    if error.errno == errno.EADDRINUSE:
        return f"{place} is already in use by another program. Stop it, or choose another port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"Cannot listen on {place}: {host} is not an address of this machine. Use 127.0.0.1."
    if error.errno == errno.EACCES:
        return f"Cannot listen on {place}: this user may not. Choose a port from 1024 on."
    return f"Cannot listen on {place}: {error.strerror or error}."


def url_of(sock: socket.socket) -> str:
    """Where a program on this machine reaches the socket, as `http://host:port`."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def build_config(app: ASGIApp, settings: ServerSettings = _SETTINGS) -> uvicorn.Config:
    """uvicorn's configuration for `app`; logging is left to the program."""
    fitting = open_files.connections_that_fit(settings.limits.maximum_connections)
    limits = dataclasses.replace(settings.limits, maximum_connections=fitting)
    config = uvicorn.Config(
        _ending_quietly(app),
        http=with_limits(limits),
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,  # it would log query strings
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.maximum_connections + _TASKS_BEYOND_CONNECTIONS,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.grace_seconds,
    )
    config.load()
    config.lifespan_class = Lifespan
    return config


def _ending_quietly(app: ASGIApp) -> ASGIApp:
    """uvicorn would log a traceback for each request that the end of the grace time cancels."""

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise

    return outermost


class _Server(uvicorn.Server):
    """uvicorn's server, with signals left to us, and nothing left behind."""

    lifespan: Lifespan

    def __init__(self, app: ASGIApp, settings: ServerSettings, on_accepting: Callable[[], None]) -> None:
        """`on_accepting` is called once the application has started."""
        self._starting = Starting(app, settings.probes)
        self._settings = settings
        self._on_accepting = on_accepting
        super().__init__(build_config(self._starting, settings))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(open_files.Complaints())
        await super().startup(sockets)
        try:
            await self.lifespan.started()
        except BaseException:
            for listening in self.servers:
                listening.close()
            raise
        self._starting.finish(self.lifespan.state)
        self._on_accepting()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().serve(sockets)
        finally:
            for sock in sockets or []:
                sock.close()
            await self._drop_connections()

    def drain(self) -> float:
        """See `StopSignals`. What has not started has nobody to tell."""
        if not self._starting.is_done:
            return 0.0
        self._tell(ON_DRAINING)
        # Of this server's connections alone: the class was made for it.
        self.config.http_protocol_class.is_leaving = True  # type: ignore[attr-defined]
        return self._settings.drain_seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._tell(ON_STOPPING)
        self.config.http_protocol_class.is_stopping = True  # type: ignore[attr-defined]
        await super().shutdown(sockets)

    def _tell(self, event: str) -> None:
        callback = self.lifespan.state.get(event)
        if callback is not None:
            callback()

    async def _drop_connections(self) -> None:
        """What the grace time did not end."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
        await asyncio.sleep(0)  # for the connections to be told


class BackgroundServer:
    """Serves an application in a thread with an event loop of its own."""

    def __init__(self, app: ASGIApp, sock: socket.socket, settings: ServerSettings = _SETTINGS) -> None:
        self.url = url_of(sock)
        self._sock = sock
        self._settings = settings
        self._is_settled = threading.Event()  # accepting, or failed
        self._error: BaseException | None = None
        self._server = _Server(app, settings, self._is_settled.set)
        self._thread = threading.Thread(target=self._run, name=f"server {self.url}", daemon=True)

    def start(self) -> None:
        """Returns when requests are answered.

        Raises:
            Exception: what the application's start-up raised.
        """
        self._thread.start()
        self._is_settled.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        """Lets requests in progress finish within the grace time. Again is harmless.

        Raises:
            Exception: what the application's shutdown raised.
        """
        self._server.should_exit = True
        if not self._thread.is_alive():
            return
        self._thread.join(self._settings.grace_seconds + _JOIN_SECONDS)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(_JOIN_SECONDS)
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve([self._sock]))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
        finally:
            self._is_settled.set()


def run_foreground(
    app: ASGIApp,
    sock: socket.socket,
    settings: ServerSettings = _SETTINGS,
    *,
    on_started: Callable[[], None] | None = None,
    before_stop: Callable[[], None] | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM, then lets requests in progress finish and returns.

    `on_started` runs once requests are answered, in a thread of its own: it may make requests
    to this very server. What it raises stops the server and is raised here. `before_stop` runs
    after the first signal, in a thread too, and the server goes on until it returns. A second
    signal stops at once; a third acts as if this function were not there.

    Raises:
        SystemExit: a second signal, with the shell's code for it (130 for Ctrl-C).
        Exception: what the application's start-up, its shutdown, or `on_started` raised.
    """
    accepting = asyncio.Event()
    server = _Server(app, settings, accepting.set)
    with asyncio.Runner() as runner, StopSignals(server, runner.get_loop(), before_stop) as signals:
        try:
            runner.run(signals.watch(_serve_and_call(server, sock, accepting, on_started)))
        except asyncio.CancelledError:
            raise SystemExit(signals.exit_code) from None


async def _serve_and_call(
    server: _Server, sock: socket.socket, accepting: asyncio.Event, on_started: Callable[[], None] | None
) -> None:
    serving = asyncio.create_task(server.serve([sock]))
    waiting = asyncio.create_task(accepting.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if on_started is not None and accepting.is_set():
            calling = _call_in_thread(on_started)
            await asyncio.wait({serving, calling}, return_when=asyncio.FIRST_COMPLETED)
            if calling.done() and (failure := calling.exception()):
                server.should_exit = True
                await serving
                raise failure
        await serving
    finally:
        waiting.cancel()
        serving.cancel()
        await asyncio.gather(serving, waiting, return_exceptions=True)


def _call_in_thread(callback: Callable[[], None]) -> asyncio.Future[None]:
    """In a daemon thread: a callback that hangs must not keep a stopped server from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(failure: BaseException | None) -> None:
        if done.cancelled():
            return
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)

    def call() -> None:
        failure: BaseException | None = None
        try:
            callback()
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=call, name="on_started", daemon=True).start()
    return done
