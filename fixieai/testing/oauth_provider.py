"""An OAuth provider for tests of agents that act for people: a real HTTP server, strict where it matters.

    with OAuthProvider() as provider:
        agent = fixieai.CodeShotAgent(..., oauth_params=provider.params("calendar.read"))
        ...
        page = provider.visit(link)      # the person opens the link of `get_authorization_url` and says yes
        assert provider.accepts(token)   # the service behind it asks whether a token is good

It asks for PKCE, takes every code and every refresh token once, and knows one client. `habits` are
what providers differ in.
"""

import base64
import hashlib
import secrets
import urllib.parse
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from fixieai.agents.oauth_params import OAuthParams
from fixieai.web import server

_CLIENT_ID = "test-client"
_SECONDS = 60


@dataclass
class Habits:
    """How a provider behaves; may be changed while it runs.

    Attributes:
        is_form_encoded: it answers as `a=b&c=d`, not in JSON.
        expires_in: seconds that access tokens are good for; None: it does not say.
        says_scope: it says which scopes it granted.
        error: what people come back with in place of a code, as `access_denied`.
        token_status: the status of its answers about tokens.
    """

    is_form_encoded: bool = False
    expires_in: int | None = 3600
    says_scope: bool = True
    error: str | None = None
    token_status: int = 200


@dataclass
class Granted:
    """What was given out. `codes` come with what was asked for; `forms` are all requests for tokens."""

    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access_tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    forms: list[dict[str, str]] = field(default_factory=list)


class OAuthProvider:
    """The server, in a thread of its own while used as a context manager."""

    def __init__(self) -> None:
        self.habits = Habits()
        self.granted = Granted()
        self.client_secret = secrets.token_urlsafe(16)
        routes = [Route("/authorize", self._authorize), Route("/token", self._token, methods=["POST"])]
        self._server = server.BackgroundServer(Starlette(routes=routes), server.bind("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return self._server.url

    def params(self, *scopes: str) -> OAuthParams:
        """What an agent is registered as here."""
        return OAuthParams(
            client_id=_CLIENT_ID,
            client_secret=self.client_secret,
            auth_uri=f"{self.url}/authorize",
            token_uri=f"{self.url}/token",
            scopes=list(scopes),
        )

    def visit(self, link: str) -> requests.Response:
        """The page that a person sees in the end, who opens the link and answers as the habits have it."""
        return requests.get(link, timeout=_SECONDS)

    def accepts(self, access_token: str) -> bool:
        """Whether it gave out this token, and has not taken it back."""
        return access_token in self.granted.access_tokens

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, traceback)

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if (asked.get("client_id"), asked.get("code_challenge_method")) != (_CLIENT_ID, "S256"):
            return PlainTextResponse("another client, or no PKCE", 400)
        answer = {"state": asked["state"]}
        if self.habits.error is not None:
            answer["error"] = self.habits.error
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self.granted.codes[answer["code"]] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urllib.parse.urlencode(answer)}", 303)

    async def _token(self, request: Request) -> Response:
        form = dict(urllib.parse.parse_qsl((await request.body()).decode()))
        self.granted.forms.append(form)
        if self.habits.token_status != 200:
            return JSONResponse({"error": "server_error"}, self.habits.token_status)
        if (form.get("client_id"), form.get("client_secret")) != (_CLIENT_ID, self.client_secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        is_good = self._renews(form) if form.get("grant_type") == "refresh_token" else self._redeems(form)
        return self._grant() if is_good else JSONResponse({"error": "invalid_grant"}, 400)

    def _redeems(self, form: dict[str, str]) -> bool:
        asked = self.granted.codes.pop(form.get("code", ""), {})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return bool(asked) and (asked["code_challenge"], asked["redirect_uri"]) == (
            challenge,
            form.get("redirect_uri"),
        )

    def _renews(self, form: dict[str, str]) -> bool:
        refresh_token = form.get("refresh_token", "")
        is_known = refresh_token in self.granted.refresh_tokens
        self.granted.refresh_tokens.discard(refresh_token)
        return is_known

    def _grant(self) -> Response:
        granted: dict[str, Any] = {
            "access_token": secrets.token_urlsafe(24),
            "refresh_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
        }
        self.granted.access_tokens.add(granted["access_token"])
        self.granted.refresh_tokens.add(granted["refresh_token"])
        if self.habits.expires_in is not None:
            granted["expires_in"] = self.habits.expires_in
        if self.habits.says_scope:
            granted["scope"] = "granted"
        if not self.habits.is_form_encoded:
            return JSONResponse(granted)
        form = urllib.parse.urlencode(granted)
        return PlainTextResponse(form, media_type="application/x-www-form-urlencoded")
