"""Load balancers as small as they come: round robin over the replicas that say they are ready."""

import contextlib
import http.client
import http.server
import itertools
import queue
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import pytest

_CHECK_SECONDS = 0.1
_PROBE_SECONDS = 10
_SECONDS = 60
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class _Ready:
    """Asks the replicas again and again whether they are ready."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._ready: frozenset[int] = frozenset()
        self._turns = itertools.count()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._check, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closed.set()
        self._thread.join(_SECONDS)

    def next(self) -> int | None:
        """The port of the replica whose turn it is."""
        ready = sorted(self._ready)
        return ready[next(self._turns) % len(ready)] if ready else None

    def wait_for(self, port: int) -> None:
        until = time.monotonic() + _SECONDS
        while port not in self._ready:
            assert time.monotonic() < until, f"{port} is not ready"
            time.sleep(0.02)

    def _check(self) -> None:
        with futures.ThreadPoolExecutor(len(self._ports)) as threads:
            while not self._is_closed.wait(_CHECK_SECONDS):
                answers = list(threads.map(_is_ready, self._ports))
                self._ready = frozenset(itertools.compress(self._ports, answers))


class Balancer:
    """Passes on requests, over connections that it keeps, and tries nothing twice.

    `failures` are what a replica did not answer.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.ready = _Ready(ports)
        self._idle: dict[int, queue.SimpleQueue[http.client.HTTPConnection]] = {
            port: queue.SimpleQueue() for port in ports
        }
        self.failures: list[str] = []
        self.served: Counter[int] = Counter()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(_SECONDS)
        self._server.server_close()
        self.ready.close()
        for idle in self._idle.values():
            with contextlib.suppress(queue.Empty):
                while True:
                    idle.get_nowait().close()

    def pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        port = self.ready.next()
        if port is None:
            return self._failed("no replica is ready")
        connection = self._connection(port)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return self._failed(f"{port}: {method} {path}: {error!r}")
        if response.will_close:
            connection.close()
        else:
            self._idle[port].put(connection)
        self.served[port] += 1
        return response.status, response.headers, content

    def _failed(self, why: str) -> tuple[int, Any, bytes]:
        self.failures.append(why)
        return 502, {}, why.encode()

    def _connection(self, port: int) -> http.client.HTTPConnection:
        with contextlib.suppress(queue.Empty):
            while True:
                connection = self._idle[port].get_nowait()
                if not select.select([connection.sock], [], [], 0)[0]:
                    return connection
                connection.close()  # the replica did
        return http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)


class Forwarder:
    """Passes on connections without looking into them, as a Service of Kubernetes does."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ready = _Ready(ports)
        self.failures: list[str] = []
        self.served: Counter[int] = Counter()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(_SECONDS)
        self._listening.close()
        self.ready.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        port = self.ready.next()
        with client:
            if port is None:
                self.failures.append("no replica is ready")
                return
            try:
                replica = socket.create_connection(("127.0.0.1", port), timeout=_SECONDS)
            except OSError as error:
                self.failures.append(f"{port}: {error!r}")
                return
            with replica:
                self.served[port] += 1
                back = threading.Thread(target=_copy, args=(replica, client), daemon=True)
                back.start()
                _copy(client, replica)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Until the source ends, and tells the target so."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _handler(balancer: Balancer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            status, answered, content = balancer.pass_on(self.command, self.path, headers, body)
            self.send_response_only(status)
            for name, value in answered.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the library's names

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


@pytest.fixture(params=[Balancer, Forwarder])
def balance(request: pytest.FixtureRequest) -> Iterator[Callable[[Sequence[int]], Balancer | Forwarder]]:
    """Makes a running balancer for the ports that it is given, of requests or of connections."""
    made: list[Balancer | Forwarder] = []

    def make(ports: Sequence[int]) -> Balancer | Forwarder:
        made.append(request.param(ports))
        return made[-1]

    yield make
    for balancer in made:
        balancer.close()


@pytest.fixture
def one_balancer(replicas: Sequence[Any]) -> Iterator[Balancer]:
    balancer = Balancer([replica.port for replica in replicas])
    yield balancer
    balancer.close()
