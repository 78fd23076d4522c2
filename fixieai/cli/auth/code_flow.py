"""Signing in through a browser: OAuth 2's code flow with PKCE, to an address on this machine.

The code that comes back is worth nothing to anybody else: only this process knows the verifier.
"""

import base64
import hashlib
import hmac
import http.server
import queue
import secrets
import socketserver
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import requests

from fixieai import credentials, errors
from fixieai.client import failures

CLIENT_ID = "II4FM6ToxVwSKB6DW1r114AKAuSnuZEgYehEBB-5WQA"
SCOPE = "api-access"
WAIT_SECONDS = 300.0
_SECONDS = 30
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Fixie</title>
<style>
  body {{ display: grid; place-items: center; min-height: 90vh; margin: 0;
    background: #f6f6f3; color: #23231f; font: 17px/1.6 system-ui, sans-serif; }}
  main {{ max-width: 26rem; padding: 2rem; text-align: center; text-wrap: balance; }}
  h1 {{ font-size: 1.4rem; margin: 0 0 .4rem; }}
  p {{ margin: 0; color: #67665e; }}
  @media (prefers-color-scheme: dark) {{
    body {{ background: #191a1d; color: #e7e6e2; }}
    p {{ color: #a2a19b; }}
  }}
</style>
<main><h1>{title}</h1><p>{text}</p></main>
"""
_PAGES = {
    "done": ("You are signed in", "Go back to your terminal. You can close this window."),
    "denied": ("You refused", "The command line gets no access. You can close this window."),
    "failed": ("This did not work", "Your terminal says why. You can close this window."),
}


@dataclass(frozen=True)
class CodeFlow:
    """One attempt to sign in at the platform at `api_url`, without a slash at its end."""

    api_url: str
    redirect_uri: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def page(self) -> str:
        """The address that the person opens."""
        return f"{self.api_url}/authorize?{urllib.parse.urlencode(self._asked())}"

    def _asked(self) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "client_id": CLIENT_ID,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": SCOPE,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def check(self) -> None:
        """Raises FixieError when there is no platform that would let anybody in this way."""
        answer = self._send("GET", "/api/authorization-requests", params=self._asked())
        if not answer.ok:
            raise errors.UpstreamError(f"{self.api_url} does not offer to sign in: {answer.status_code}.")

    def exchange(self, code: str) -> str:
        """The API key that the code is worth.

        Raises:
            Unauthenticated: it is worth none; the message has the platform's reason.
            FixieError: the platform cannot be asked.
        """
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        answer = self._send("POST", "/access/token", data=form)
        try:
            content = dict(answer.json())
        except (ValueError, TypeError) as error:
            raise errors.UpstreamError(f"What answers at {self.api_url} is no Fixie platform.") from error
        key = content.get("access_token")
        if not answer.ok or not isinstance(key, str) or not key:
            reason = content.get("error_description") or answer.status_code
            raise errors.Unauthenticated(f"{self.api_url} gave no key: {reason}.")
        return key

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = not credentials.is_local(self.api_url)
            try:
                return session.request(
                    method,
                    self.api_url + path,
                    params=params,
                    data=data,
                    timeout=_SECONDS,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise failures.of_transport(error, self.api_url) from error


class Listener:
    """Waits at an address of this machine for the browser to come back. Use as a context manager."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def wait(self, flow: CodeFlow, seconds: float = WAIT_SECONDS) -> str:
        """The key, once the person agreed.

        Raises:
            Unauthenticated: they refused, it took too long, or the platform gave no key.
        """
        self._server.flow = flow
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            outcome = self._server.outcomes.get(timeout=seconds)
        except queue.Empty:
            minutes = round(seconds / 60)
            raise errors.Unauthenticated(f"Nobody signed in within {minutes} minutes.") from None
        finally:
            self._server.shutdown()
        if isinstance(outcome, errors.FixieError):
            raise outcome
        return outcome


# With threads: browsers open connections that they may never use.
class _Server(http.server.ThreadingHTTPServer):
    flow: CodeFlow

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.outcomes: queue.SimpleQueue[str | errors.FixieError] = queue.SimpleQueue()

    def server_bind(self) -> None:
        """Without a look at DNS for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def outcome_of(self, query: dict[str, str]) -> str | errors.FixieError | None:
        """The key, or why there is none; None for a request that is not the platform's answer."""
        if not hmac.compare_digest(query.get("state", "").encode(), self.flow.state.encode()):
            return None
        if "code" not in query:
            return _Refused("You refused: the command line has no access.")
        try:
            return self.flow.exchange(query["code"])
        except errors.FixieError as failure:
            return failure


class _Refused(errors.Unauthenticated):
    """The person said no."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    server_version = "fixie"
    sys_version = ""

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        if address.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        query = dict(urllib.parse.parse_qsl(address.query, max_num_fields=10))
        outcome = self.server.outcome_of(query)
        kind = "done" if isinstance(outcome, str) else "denied" if isinstance(outcome, _Refused) else "failed"
        title, text = _PAGES[kind]
        body = _PAGE.format(title=title, text=text).encode()
        self.send_response(HTTPStatus.OK)
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "Referrer-Policy": "no-referrer",
            "Connection": "close",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if outcome is not None:  # last: the process may end then
            self.server.outcomes.put(outcome)

    def log_message(self, *args: Any) -> None:
        """Nothing: the address holds a code."""
