"""An agent that says what it is when a test lets it."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SlowAgent:
    """`asked` is set by its first handshake, which it answers once `goes_on` is."""

    url: str
    asked: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def slow_agent() -> Iterator[SlowAgent]:
    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            agent.asked.set()
            agent.goes_on.wait(60)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"type: standalone")

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        agent = SlowAgent(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield agent
        agent.goes_on.set()
        server.shutdown()
