"""A platform one can script: it answers with what the test put in line, and writes down what came."""

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from fixieai import testing
from fixieai.client.client import FixieClient


@dataclass
class Reply:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False  # sent as a chunk, and the connection closed where more chunks should come


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class ScriptedPlatform:
    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.replies: list[Reply] = []

    def will(self, content: Any = None, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.replies.append(Reply(status, body, {key.replace("_", "-"): to for key, to in headers.items()}))


class _Handler(http.server.BaseHTTPRequestHandler):
    platform: ScriptedPlatform
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        is_form = str(self.headers.get("Content-Type")).startswith("multipart/")
        body = content if is_form else json.loads(content) if content else None
        self.platform.seen.append(Seen(self.command, self.path, dict(self.headers), body))
        reply = self.platform.replies.pop(0) if self.platform.replies else Reply(500, b"nothing in line")
        self.send_response(reply.status)
        self.send_header("Connection", "close")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.breaks_off:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(reply.body), reply.body))
        else:
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names http.server calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def scripted_platform() -> Iterator[ScriptedPlatform]:
    handler = type("Handler", (_Handler,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        platform = ScriptedPlatform(f"http://127.0.0.1:{server.server_port}")
        handler.platform = platform  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield platform
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def people() -> Iterator[dict[str, FixieClient]]:
    """A running platform as its local user, Ann and Bob see it."""
    with testing.platform() as running:
        platforms = {"local": running, "ann": running.add_user("ann"), "bob": running.add_user("bob")}
        yield {name: FixieClient(each.api_key, api_url=each.url) for name, each in platforms.items()}


@pytest.fixture
def client(scripted_platform: ScriptedPlatform) -> FixieClient:
    return FixieClient("a-key", api_url=scripted_platform.url)
