"""A load balancer as small as they come: round robin over the replicas that say they are ready."""

import contextlib
import http.client
import http.server
import itertools
import queue
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import pytest

_CHECK_SECONDS = 0.1
_SECONDS = 30
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Balancer:
    """Serves on a port of its own, and tries nothing twice; `failures` are what a replica did not answer."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._ready: frozenset[int] = frozenset()
        self._turns = itertools.count()
        self._idle: dict[int, queue.SimpleQueue[http.client.HTTPConnection]] = {
            port: queue.SimpleQueue() for port in ports
        }
        self._is_closed = threading.Event()
        self.failures: list[str] = []
        self.served: Counter[int] = Counter()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._threads = [
            threading.Thread(target=self._check, daemon=True),
            threading.Thread(target=self._server.serve_forever, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_closed.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join(_SECONDS)
        self._server.server_close()
        for port in self._ports:
            self._forget(port)

    def wait_until_ready(self, port: int) -> None:
        until = time.monotonic() + _SECONDS
        while port not in self._ready:
            assert time.monotonic() < until, f"{port} is not ready"
            time.sleep(0.02)

    def pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        ready = sorted(self._ready)
        if not ready:
            return self._failed("no replica is ready")
        port = ready[next(self._turns) % len(ready)]
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

    def _forget(self, port: int) -> None:
        """What is idle is closed by a replica that ends; a new one on its port is another."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle[port].get_nowait().close()

    def _check(self) -> None:
        while not self._is_closed.wait(_CHECK_SECONDS):
            ready = frozenset(port for port in self._ports if _is_ready(port))
            gone, self._ready = self._ready - ready, ready
            for port in gone:
                self._forget(port)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
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


@pytest.fixture
def balance() -> Iterator[Callable[[Sequence[int]], Balancer]]:
    """A running balancer for the ports that it is given."""
    with contextlib.ExitStack() as stack:
        yield lambda ports: stack.enter_context(Balancer(ports))
