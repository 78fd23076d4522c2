"""A platform's keys over real HTTP, and agents served by a real server."""

import base64
import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fixieai.agents import http as agent_http
from fixieai.agents.token import JwksClient
from fixieai.web import server as web_server

AUDIENCE = "https://app.fixie.ai/api"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def jwk(kid: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    x = base64url(key.public_key().public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA"}


class KeyServer:
    """Publishes keys at `url`, signs tokens with them, and counts who asks.

    `answer` replaces the document: a status and a body. `pause` makes it slow, in seconds; it answers
    nobody while `may_answer` is not set.
    """

    def __init__(self) -> None:
        self.keys = {"first": Ed25519PrivateKey.generate()}
        self.answer: tuple[int, bytes] | None = None
        self.pause = 0.0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.requests: list[str] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks.json"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def document(self) -> tuple[int, bytes]:
        if self.answer is not None:
            return self.answer
        return 200, json.dumps({"keys": [jwk(kid, key) for kid, key in self.keys.items()]}).encode()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        key_server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                key_server.requests.append(self.path)
                time.sleep(key_server.pause)
                key_server.may_answer.wait(30)
                status, body = key_server.document()
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("Location", "/elsewhere.json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def token(self, kid: str = "first", headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A valid query token, but for the changes: a claim of None is left out."""
        now = int(time.time())
        claims = {"aud": AUDIENCE, "aid": "owner/agent", "sub": "user", "iat": now, "exp": now + 300}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return self.sign({"alg": "EdDSA", "kid": kid} | (headers or {}), json.dumps(claims), kid)

    def sign(self, header: dict[str, Any], payload: str, kid: str = "first") -> str:
        """A token of exactly these parts, signed by our key whatever the header says."""
        signed = f"{base64url(json.dumps(header).encode())}.{base64url(payload.encode())}"
        return f"{signed}.{base64url(self.keys[kid].sign(signed.encode()))}"

    def symmetric_token(self, secret: bytes) -> str:
        """HS256, signed with `secret` as though it were a shared one."""
        claims = jwt.decode(self.token(), options={"verify_signature": False})
        header = base64url(json.dumps({"alg": "HS256", "kid": "first"}).encode())
        signed = f"{header}.{base64url(json.dumps(claims).encode())}"
        algorithm = jwt.get_algorithm_by_name("HS256")
        return f"{signed}.{base64url(algorithm.sign(signed.encode(), secret))}"


@contextlib.contextmanager
def running_key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


@contextlib.contextmanager
def serving_agents(key_server: KeyServer) -> Iterator[Callable[[Any], str]]:
    """Serves agents, which then trust `key_server`; gives the URL of each."""
    with contextlib.ExitStack() as running:

        def serve(agent: Any) -> str:
            agent._jwks_client = JwksClient(key_server.url)
            app, sock = agent_http.build_app(agent), web_server.bind("127.0.0.1", 0)
            settings = web_server.ServerSettings(grace_seconds=1)
            return running.enter_context(web_server.BackgroundServer(app, sock, settings)).url

        yield serve


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    with running_key_server() as server:
        yield server


@pytest.fixture(scope="module")
def shared_key_server() -> Iterator[KeyServer]:
    """For tests that leave it as it is."""
    with running_key_server() as server:
        yield server


@pytest.fixture
def served(key_server: KeyServer) -> Iterator[Callable[[Any], str]]:
    with serving_agents(key_server) as serve:
        yield serve


@pytest.fixture(scope="module")
def shared_served(shared_key_server: KeyServer) -> Iterator[Callable[[Any], str]]:
    with serving_agents(shared_key_server) as serve:
        yield serve
