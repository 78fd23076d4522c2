"""An OAuth provider with people's diaries, a platform, and an agent that reads a diary for its owner."""

import base64
import contextlib
import hashlib
import pathlib
import secrets
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import Settings
from fixieai.web import server

SHOTS = """
Q: What is in my diary?
Ask Func[diary]: today
Func[diary] says: Dentist at ten.
A: Dentist at ten.
"""


@dataclass
class Habits:
    """How the provider behaves, and whether the person it asks says yes."""

    style: str = "json"
    expires_in: int | None = 3600
    says_scope: bool = True
    error: str | None = None
    token_status: int = 200


@dataclass
class Provider:
    """Grants to whoever asks, as `habits` have it, and keeps strictly to PKCE and to single use."""

    url: str = ""
    habits: Habits = field(default_factory=Habits)
    forms: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access_tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/diary", self.diary),
            ]
        )

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["client_id"], asked["response_type"]) == ("diary-client", "code")
        assert asked["code_challenge_method"] == "S256"
        answer = {"state": asked["state"]}
        if self.habits.error is not None:
            answer["error"] = self.habits.error
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self.codes[answer["code"]] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urllib.parse.urlencode(answer)}", 302)

    async def token(self, request: Request) -> Response:
        form = dict(urllib.parse.parse_qsl((await request.body()).decode()))
        self.forms.append(form)
        is_client = (form["client_id"], form["client_secret"]) == ("diary-client", "client-secret")
        if self.habits.token_status != 200 or not is_client:
            return JSONResponse({"error": "invalid_client"}, max(self.habits.token_status, 401))
        is_good = self._redeems(form) if form["grant_type"] == "authorization_code" else self._renews(form)
        return self._granted() if is_good else JSONResponse({"error": "invalid_grant"}, 400)

    def _redeems(self, form: dict[str, str]) -> bool:
        asked = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return asked is not None and (asked["code_challenge"], asked["redirect_uri"]) == (
            challenge,
            form["redirect_uri"],
        )

    def _renews(self, form: dict[str, str]) -> bool:
        is_known = form["refresh_token"] in self.refresh_tokens
        self.refresh_tokens.discard(form["refresh_token"])
        return is_known

    def _granted(self) -> Response:
        granted: dict[str, Any] = {
            "access_token": f"access-{secrets.token_urlsafe(16)}",
            "token_type": "Bearer",
            "refresh_token": f"refresh-{secrets.token_urlsafe(16)}",
        }
        if self.habits.expires_in is not None:
            granted["expires_in"] = self.habits.expires_in
        if self.habits.says_scope:
            granted["scope"] = "diary.read"
        self.access_tokens = {granted["access_token"]}
        self.refresh_tokens.add(granted["refresh_token"])
        if self.habits.style == "json":
            return JSONResponse(granted)
        return PlainTextResponse(
            urllib.parse.urlencode(granted), media_type="application/x-www-form-urlencoded"
        )

    async def diary(self, request: Request) -> Response:
        is_known = request.headers["authorization"].removeprefix("Bearer ") in self.access_tokens
        return PlainTextResponse("Tea with the Queen." if is_known else "no such token", 200)


@dataclass
class Diary:
    """The agent, as one person meets it."""

    platform: testing.Platform
    provider: Provider
    handle: str

    def ask(self) -> str:
        return self.platform.ask(self.handle, "What is in my diary?").text

    def link(self) -> str:
        link = self.ask()
        assert link.startswith(f"{self.provider.url}/authorize?"), link
        return link

    def way_back(self) -> str:
        """Where the provider sends the person to."""
        return requests.get(self.link(), allow_redirects=False, timeout=10).headers["Location"]

    def connect(self) -> requests.Response:
        return requests.get(self.way_back(), timeout=10)


def make_diary(provider: Provider, shots: str = SHOTS) -> fixieai.CodeShotAgent:
    params = fixieai.OAuthParams(
        "diary-client",
        "client-secret",
        f"{provider.url}/authorize",
        f"{provider.url}/token",
        ["diary.read", "diary.list"],
    )
    agent = fixieai.CodeShotAgent("I read diaries.", shots, oauth_params=params)

    @agent.register_func
    def diary(query: fixieai.Message, oauth_handler: fixieai.OAuthHandler) -> str:
        token = oauth_handler.user_token()
        if token is None:
            return oauth_handler.get_authorization_url()
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{provider.url}/diary", headers=headers, timeout=10).text

    return agent


@pytest.fixture(scope="session")
def provider_server() -> Iterator[Provider]:
    provider = Provider()
    with server.BackgroundServer(provider.app(), server.bind("127.0.0.1", 0)) as running:
        provider.url = running.url
        yield provider


@pytest.fixture
def provider(provider_server: Provider) -> Provider:
    vars(provider_server).update(vars(Provider(url=provider_server.url)))
    return provider_server


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("oauth-platform")


@pytest.fixture(scope="session")
def platform(home: pathlib.Path) -> Iterator[testing.Platform]:
    """With a home that tests can look into."""
    models = ModelSettings(default_model="few-shot")
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving.background(Settings(home=home, port=0, models=models)))
        yield testing.Platform(running.url, serving.local_key(home), stack)


@pytest.fixture
def diary(platform: testing.Platform, provider: Provider) -> Diary:
    handle = f"diary-{secrets.token_hex(4)}"
    platform.serve(make_diary(provider), handle)
    return Diary(platform, provider, handle)
