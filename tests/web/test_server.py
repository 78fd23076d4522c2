import asyncio
import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fixieai import errors
from fixieai.web import server as servers
from fixieai.web.connections import ConnectionLimits
from fixieai.web.server import BackgroundServer, ServerSettings, bind, run_foreground, url_of

SECONDS = 30
QUICK = ServerSettings(grace_seconds=1)
PATIENT = ServerSettings(grace_seconds=SECONDS, limits=ConnectionLimits(drain_seconds=SECONDS))


async def _hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def _slow(request: Request) -> Response:
    request.app.state.asked.release()
    await asyncio.sleep(0.6)
    return PlainTextResponse("slow but whole")


async def _stream(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"begun, "
        await asyncio.to_thread(request.app.state.may_end.wait, SECONDS)
        yield b"ended"

    return StreamingResponse(pieces())


async def _endless(request: Request) -> Response:
    request.app.state.asked.release()
    await asyncio.sleep(600)
    return PlainTextResponse("never")


def _app(
    lifespan: Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]] | None = None,
) -> Starlette:
    routes = [
        Route("/", _hello),
        Route("/slow", _slow),
        Route("/endless", _endless),
        Route("/stream", _stream),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.asked = threading.Semaphore(0)  # released by each request that takes its time
    app.state.may_end = threading.Event()
    return app


def _get(url: str, path: str = "/") -> str:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=SECONDS)
    connection.request("GET", path)
    with contextlib.closing(connection):
        return connection.getresponse().read().decode()


def _until_it_stops(url: str) -> None:
    """Returns when the server has closed its socket and told its connections, which is one thing to it."""
    place = url.removeprefix("http://").split(":")
    until = time.monotonic() + SECONDS
    with contextlib.suppress(ConnectionError):
        while True:
            socket.create_connection(place, timeout=SECONDS).close()
            assert time.monotonic() < until
            time.sleep(0.01)


# bind


def test_port_0_takes_a_free_port_and_tells_which() -> None:
    with bind("127.0.0.1", 0) as sock:
        assert url_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"
        assert sock.getsockname()[1] > 0


def test_localhost_is_found_at_127_0_0_1() -> None:
    with bind("localhost", 0) as sock:
        assert sock.family == socket.AF_INET


def test_asyncio_turns_nagles_delay_off() -> None:
    with bind("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_everywhere_is_reached_through_this_machine() -> None:
    with bind("0.0.0.0", 0) as sock:
        assert url_of(sock).startswith("http://127.0.0.1:")


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(
            errors.ConfigurationError, match=rf"127\.0\.0\.1:{port} is already in use.*another port"
        ):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("192.0.2.1", 0, "not an address of this machine"),
        ("no-such-host.invalid", 0, "not known"),
        ("127.0.0.1", 70_000, "0 to 65535"),
        ("127.0.0.1", -1, "0 to 65535"),
    ],
)
def test_an_address_that_cannot_be_bound_is_named(host: str, port: int, says: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=says):
        bind(host, port)


def test_a_port_is_free_again_as_soon_as_its_server_stopped() -> None:
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    with BackgroundServer(_app(), sock, QUICK) as server:
        assert _get(server.url) == "hello"
    bind("127.0.0.1", port).close()


# BackgroundServer


def test_a_request_sent_before_the_server_runs_is_answered() -> None:
    sock = bind("127.0.0.1", 0)
    client = socket.create_connection(sock.getsockname())
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    with BackgroundServer(_app(), sock, QUICK), client.makefile("rb") as answer:
        assert answer.read().endswith(b"hello")
    client.close()


def test_what_the_start_up_raises_is_raised_by_start_and_nothing_is_left() -> None:
    @contextlib.asynccontextmanager
    async def broken(app: Starlette) -> AsyncIterator[None]:
        raise errors.ConfigurationError("the folder cannot be written")
        yield

    sock = bind("127.0.0.1", 0)
    threads = threading.active_count()
    with pytest.raises(errors.ConfigurationError, match="cannot be written"):
        BackgroundServer(_app(broken), sock, QUICK).start()
    assert threading.active_count() == threads
    assert sock.fileno() == -1


def test_start_up_and_shutdown_happen_in_one_task_around_the_requests() -> None:
    told = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        told.append(asyncio.current_task())
        yield
        told.append(asyncio.current_task())

    with BackgroundServer(_app(lifespan), bind("127.0.0.1", 0), QUICK) as server:
        assert len(told) == 1
        assert _get(server.url) == "hello"
    assert told[0] is told[1]


def test_what_the_shutdown_raises_is_raised_by_stop() -> None:
    @contextlib.asynccontextmanager
    async def broken(app: Starlette) -> AsyncIterator[None]:
        yield
        raise RuntimeError("could not be written")

    server = BackgroundServer(_app(broken), bind("127.0.0.1", 0), QUICK)
    server.start()
    with pytest.raises(RuntimeError, match="could not be written"):
        server.stop()
    server.stop()


def test_a_stop_lets_a_request_in_progress_finish() -> None:
    app = _app()
    server = BackgroundServer(app, bind("127.0.0.1", 0), ServerSettings(grace_seconds=SECONDS))
    server.start()
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(_get(server.url, "/slow")))
    asking.start()
    assert app.state.asked.acquire(timeout=SECONDS)
    server.stop()
    asking.join()
    assert answers == ["slow but whole"]


def test_a_request_that_outlasts_the_grace_time_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    app = _app()
    server = BackgroundServer(app, bind("127.0.0.1", 0), QUICK)
    server.start()
    with socket.create_connection(server.url.removeprefix("http://").split(":")) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        assert app.state.asked.acquire(timeout=SECONDS)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 5  # it is not left to the last resort of `stop`
    assert "Traceback" not in caplog.text


def test_a_request_on_its_way_while_the_server_stops_is_answered() -> None:
    server = BackgroundServer(_app(), bind("127.0.0.1", 0), PATIENT)
    server.start()
    client = http.client.HTTPConnection(server.url.removeprefix("http://"))
    client.request("GET", "/")
    client.getresponse().read()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    _until_it_stops(server.url)
    client.request("GET", "/")
    response = client.getresponse()
    assert (response.read(), response.headers["connection"]) == (b"hello", "close")
    stopping.join()
    client.close()


def test_a_stream_that_had_promised_to_keep_its_connection_open_may_still_bring_a_request() -> None:
    app = _app()
    server = BackgroundServer(app, bind("127.0.0.1", 0), PATIENT)
    server.start()
    client = http.client.HTTPConnection(server.url.removeprefix("http://"))
    client.request("GET", "/stream")
    streamed = client.getresponse()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    _until_it_stops(server.url)
    app.state.may_end.set()
    assert (streamed.read(), streamed.headers["connection"]) == (b"begun, ended", None)
    time.sleep(0.1)
    client.request("GET", "/")
    response = client.getresponse()
    assert (response.read(), response.headers["connection"]) == (b"hello", "close")
    stopping.join()
    client.close()


def test_the_grace_time_over_is_told_as_503(guarded) -> None:
    from fixieai.web.guard import Guard, GuardSettings

    app = _app()
    server = BackgroundServer(Guard(app, GuardSettings()), bind("127.0.0.1", 0), QUICK)
    server.start()
    client = http.client.HTTPConnection(server.url.removeprefix("http://"))
    client.request("GET", "/endless")
    assert app.state.asked.acquire(timeout=SECONDS)
    server.stop()
    response = client.getresponse()
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    client.close()


# run_foreground

PROGRAM = """
import asyncio, sys, threading, time, urllib.request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from fixieai.web.server import ServerSettings, bind, run_foreground, url_of

async def hello(request):
    return PlainTextResponse("hello")

async def slow(request):
    print("asked", flush=True)
    await asyncio.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse("slow but whole")

app = Starlette(routes=[Route("/", hello), Route("/slow", slow)])
sock = bind("127.0.0.1", 0)
url = url_of(sock)

def started():
    assert urllib.request.urlopen(url).read() == b"hello"
    print(url, flush=True)

run_foreground(app, sock, ServerSettings(grace_seconds=60), on_started=started)
print("after", threading.active_count(), flush=True)
"""


@pytest.fixture
def program() -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_requests_finish_and_the_program_go_on(program, number: signal.Signals) -> None:
    process, url = program
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(_get(url, "/slow?seconds=0.5")))
    asking.start()
    assert process.stdout.readline() == "asked\n"
    process.send_signal(number)
    output, complaints = process.communicate(timeout=SECONDS)
    asking.join()
    assert answers == ["slow but whole"]
    assert (process.returncode, output, complaints) == (0, "after 1\n", "")


def test_a_second_signal_does_not_wait(program) -> None:
    process, url = program
    client = http.client.HTTPConnection(url.removeprefix("http://"))
    client.request("GET", "/slow?seconds=60")
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGINT)
    _until_it_stops(url)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, complaints = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in complaints
    client.close()


def test_what_on_started_raises_stops_the_server_and_is_raised() -> None:
    def refuse() -> None:
        raise errors.ConfigurationError("the platform does not know this agent")

    sock = bind("127.0.0.1", 0)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(errors.ConfigurationError, match="does not know"):
        run_foreground(_app(), sock, QUICK, on_started=refuse)
    assert sock.fileno() == -1
    assert signal.getsignal(signal.SIGINT) is before


def test_what_the_start_up_raises_is_raised_in_the_foreground() -> None:
    @contextlib.asynccontextmanager
    async def broken(app: Starlette) -> AsyncIterator[None]:
        raise errors.ConfigurationError("the folder cannot be written")
        yield

    called = []
    with pytest.raises(errors.ConfigurationError, match="cannot be written"):
        run_foreground(_app(broken), bind("127.0.0.1", 0), QUICK, on_started=lambda: called.append(1))
    assert not called


def test_a_signal_ends_a_server_whose_on_started_hangs() -> None:
    def hang() -> None:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(30)

    began = time.monotonic()
    run_foreground(_app(), bind("127.0.0.1", 0), QUICK, on_started=hang)
    assert time.monotonic() - began < 20


def test_before_it_stops_the_server_still_answers() -> None:
    answers: list[str] = []
    sock = bind("127.0.0.1", 0)
    url = url_of(sock)
    run_foreground(
        _app(),
        sock,
        QUICK,
        on_started=lambda: signal.raise_signal(signal.SIGTERM),
        before_stop=lambda: answers.append(_get(url, "/slow")),
    )
    assert answers == ["slow but whole"]


def test_servers_share_no_settings_by_accident() -> None:
    one = servers.build_config(_app(), ServerSettings(limits=ConnectionLimits(head_seconds=1)))
    other = servers.build_config(_app())
    assert one.http_protocol_class.limits.head_seconds == 1
    assert other.http_protocol_class.limits.head_seconds == 10
