"""A stock exchange that fits on a laptop: `GET /quote/{ticker}` answers `{"ticker", "price"}`."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator

PRICES = {"GOOG": 174.25, "MSFT": 415.5, "AAPL": 226.75, "NVDA": 138.0}


class QuoteHandler(http.server.BaseHTTPRequestHandler):
    """One quote a request."""

    def do_GET(self) -> None:  # the name that http.server calls
        price = PRICES.get(self.path.removeprefix("/quote/"))
        content = {"error": "unknown ticker"} if price is None else {"price": price}
        body = json.dumps(content).encode()
        self.send_response(404 if price is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: the agent's own log is enough."""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The exchange on a free port of this machine, as its URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), QuoteHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
