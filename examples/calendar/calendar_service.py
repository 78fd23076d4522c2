"""A calendar service that fits on a laptop, with OAuth: it asks its one user, Ada, before it tells an agent.

GET /authorize shows Ada what is asked for, POST /authorize is her answer, POST /token gives tokens for codes
(with PKCE) and for refresh tokens (each good once), GET /events?day=Monday needs a token.
"""

import base64
import contextlib
import hashlib
import html
import http.server
import json
import secrets
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CLIENT = ("calendar-agent", "of-an-example")
EVENTS = {"Monday": ["10:00 Dentist", "19:00 Chess club"], "Tuesday": ["12:30 Lunch with Charles"]}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Ada's calendar</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>body {{ font: 1.1rem system-ui; margin: 4rem auto; max-width: 32rem }}</style>
<h1>Ada's calendar</h1>
<p>The agent <strong>{client_id}</strong> wants to: <strong>{scope}</strong></p>
<form method="post">{fields}
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button></form>
"""


@dataclass
class Grants:
    """What was given out: codes with what was asked for, and tokens."""

    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access_tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)

    def redeem(self, form: dict[str, str]) -> bool:
        """Whether a code, or a refresh token, is good for a token. From now on it no longer is."""
        if form.get("grant_type") == "refresh_token":
            is_good = form.get("refresh_token", "") in self.refresh_tokens
            self.refresh_tokens.discard(form.get("refresh_token", ""))
            return is_good
        asked = self.codes.pop(form.get("code", ""), {})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return (asked.get("code_challenge"), asked.get("redirect_uri")) == (
            challenge,
            form.get("redirect_uri"),
        )

    def issue(self) -> dict[str, Any]:
        access_token, refresh_token = secrets.token_urlsafe(), secrets.token_urlsafe()
        self.access_tokens.add(access_token)
        self.refresh_tokens.add(refresh_token)
        return {"access_token": access_token, "refresh_token": refresh_token, "expires_in": 3600}


class CalendarHandler(http.server.BaseHTTPRequestHandler):
    """One request."""

    grants: Grants

    def do_GET(self) -> None:  # the name that http.server calls
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        if address.path == "/authorize":
            self._show_question(query)
        elif self.headers.get("Authorization", "").removeprefix("Bearer ") in self.grants.access_tokens:
            self._send_json(200, {"events": EVENTS.get(query.get("day", ""), [])})
        else:
            self._send_json(401, {"error": "not allowed"})

    def do_POST(self) -> None:  # the name that http.server calls
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        if self.path.startswith("/authorize"):
            self._send_back(form)
        elif (form.get("client_id"), form.get("client_secret")) != CLIENT:
            self._send_json(401, {"error": "invalid_client"})
        elif self.grants.redeem(form):
            self._send_json(200, self.grants.issue())
        else:
            self._send_json(400, {"error": "invalid_grant"})

    def _show_question(self, query: dict[str, str]) -> None:
        shown = {html.escape(name): html.escape(value) for name, value in query.items()}
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{value}">' for name, value in shown.items()
        )
        page = PAGE.format(client_id=shown.get("client_id"), scope=shown.get("scope"), fields=fields)
        self._send(200, "text/html; charset=utf-8", page.encode())

    def _send_back(self, form: dict[str, str]) -> None:
        if not form.get("redirect_uri", "").startswith(("http://127.0.0.1:", "http://localhost:")):
            return self._send_json(400, {"error": "people are only sent back to this machine"})
        answer = {"state": form.get("state", ""), "error": "access_denied"}
        if form.get("answer") == "allow":
            code = secrets.token_urlsafe()
            self.grants.codes[code] = form
            answer = {"state": form.get("state", ""), "code": code}
        self.send_response(303)
        self.send_header("Location", f"{form['redirect_uri']}?{urllib.parse.urlencode(answer)}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _send_json(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet: the agent's own log is enough."""


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[str]:
    """The service on a port of this machine (0: any free one), as its URL."""
    handler = type("Handler", (CalendarHandler,), {"grants": Grants()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
