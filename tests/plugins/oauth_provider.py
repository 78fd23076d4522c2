"""An OAuth provider and a user storage in one, and the handler of a user that asks them."""

import json
import urllib.parse
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fixieai.agents import user_storage
from fixieai.agents.oauth import OAuthHandler, OAuthParams
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage

CLAIMS = VerifiedTokenClaims("owner/agent", False, "query-token")
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Provider:
    """Token endpoint and user storage in one. `answers` are given one by one, the last one for ever."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.answers: list[tuple[int, str, str]] = [(200, JSON, '{"access_token": "granted"}')]
        self.forms: list[dict[str, str]] = []
        self.is_full = False

    async def token(self, request: Request) -> Response:
        assert request.headers["content-type"] == FORM
        self.forms.append(dict(urllib.parse.parse_qsl((await request.body()).decode())))
        status, kind, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(body, status, headers={"Content-Type": kind})

    async def value(self, request: Request) -> Response:
        key = request.path_params["key"]
        if request.method == "POST" and self.is_full:
            return Response(status_code=507)
        if request.method == "POST":
            self.stored[key] = (await request.json())["data"]
        if key not in self.stored:
            return Response(status_code=404)
        data = self.stored.pop(key) if request.method == "DELETE" else self.stored[key]
        return JSONResponse({"data": data})

    def app(self) -> Starlette:
        methods = ["GET", "HEAD", "POST", "DELETE"]
        return Starlette(
            routes=[
                Route("/token", self.token, methods=["POST"]),
                Route("/storage/owner/agent/{key}", self.value, methods=methods),
            ]
        )


class Case:
    """A handler of a user, and what it talks to."""

    def __init__(self, provider: Provider, url: str) -> None:
        self.provider = provider
        params = OAuthParams("the-id", "the-secret", "https://auth.example/ask", f"{url}/token", ["a", "b c"])
        self.handler = OAuthHandler(params, CLAIMS)
        self.handler._storage = UserStorage(CLAIMS, f"{url}/storage")

    def stored_token(self) -> Any:
        return json.loads(user_storage.from_json(self.provider.stored["_oauth_token"]))  # type: ignore[arg-type]

    def store_token(self, **changes: Any) -> None:
        token = {"access_token": "old", "expiry": None, "refresh_token": None} | changes
        self.provider.stored["_oauth_token"] = json.dumps(json.dumps(token))

    def begin(self) -> dict[str, str]:
        query = urllib.parse.urlsplit(self.handler.get_authorization_url()).query
        return dict(urllib.parse.parse_qsl(query))


def ago(**delta: float) -> str:
    return (datetime.now(UTC) - timedelta(**delta)).isoformat()
