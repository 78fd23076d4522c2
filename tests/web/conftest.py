"""Real servers for the tests of the web layer: `serve(app)` runs one, `talk` speaks to it in bytes."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fixieai import errors
from fixieai.web import json_body, problems
from fixieai.web.guard import Guard, GuardSettings
from fixieai.web.server import BackgroundServer, ServerSettings, bind

Serve = Callable[..., BackgroundServer]


async def _echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"path": request.url.path, "size": len(body), "headers": list(request.headers)})


async def _json(request: Request) -> Response:
    return JSONResponse(await json_body.read_json(request))


async def _fail(request: Request) -> Response:
    raise RuntimeError("the secret inside")


async def _fail_midway(request: Request) -> Response:
    async def pieces() -> Iterator[bytes]:
        yield b"first"
        raise RuntimeError("the secret inside")

    return StreamingResponse(pieces())


async def _refuse(request: Request) -> Response:
    raise errors.TooManyRequests(retry_after=2.3)


async def _ignore_body(request: Request) -> Response:
    return JSONResponse({})


ROUTES = [
    Route("/echo", _echo, methods=["GET", "POST"]),
    Route("/json", _json, methods=["POST"]),
    Route("/fail", _fail),
    Route("/fail-midway", _fail_midway),
    Route("/refuse", _refuse),
    Route("/ignore-body", _ignore_body, methods=["POST"]),
]


@pytest.fixture(scope="session")
def guarded() -> Callable[..., Guard]:
    """A guarded application; keyword arguments are those of `GuardSettings`."""

    def build(**settings: object) -> Guard:
        render = settings.get("render", problems.respond)
        app = Starlette(routes=ROUTES, exception_handlers=problems.exception_handlers(render))
        return Guard(app, GuardSettings(**settings))

    return build


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Starts servers on free ports, and stops them after the module."""
    running = []

    def start(app: object, settings: ServerSettings | None = None) -> BackgroundServer:
        server = BackgroundServer(app, bind("127.0.0.1", 0), settings or ServerSettings(grace_seconds=1))
        server.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@dataclass
class Reply:
    """What a raw connection gave back until it ended or fell silent."""

    raw: bytes
    is_closed: bool

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.raw)]

    @property
    def status(self) -> int:
        assert len(self.statuses) == 1, self.raw
        return self.statuses[0]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.raw.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)

    @property
    def error(self) -> dict[str, str]:
        return json.loads(self.raw.split(b"\r\n\r\n", 1)[1])["error"]


class Connection:
    """A TCP connection to a server, in bytes."""

    def __init__(self, server: BackgroundServer) -> None:
        self.began = time.monotonic()
        port = int(server.url.rpartition(":")[2])
        self.socket = socket.create_connection(("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, silence: float = 30.0, until: bytes | None = None) -> Reply:
        """Everything until the server closes, is silent for so many seconds, or has sent `until`."""
        self.socket.settimeout(silence)
        raw, is_closed = b"", False
        try:
            while until is None or until not in raw:
                piece = self.socket.recv(65536)
                if not piece:
                    is_closed = True
                    break
                raw += piece
        except TimeoutError:
            pass
        except ConnectionError:
            is_closed = True
        return Reply(raw, is_closed)

    def seconds(self) -> float:
        """Since it was about to be opened."""
        return time.monotonic() - self.began

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[[BackgroundServer], Connection]]:
    opened = []

    def open_one(server: BackgroundServer) -> Connection:
        opened.append(Connection(server))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def talk(connect: Callable[[BackgroundServer], Connection]) -> Callable[..., Reply]:
    """Sends bytes on a connection of their own and reads the answer to one request that closes."""

    def exchange(server: BackgroundServer, data: bytes) -> Reply:
        connection = connect(server)
        connection.send(data)
        return connection.read()

    return exchange
