"""OAuth against a provider and a user storage over real HTTP."""

import base64
import concurrent.futures
import hashlib
import json
import logging
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests_mock as requests_mocking
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fixieai import constants
from fixieai.agents import oauth, user_storage
from fixieai.agents.exceptions import AgentException
from fixieai.agents.oauth import OAuthError, OAuthHandler, OAuthParams
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.messages import Message
from fixieai.web import server as web_server

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


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with web_server.BackgroundServer(provider.app(), web_server.bind("127.0.0.1", 0)) as background:
        yield provider, background.url


@pytest.fixture
def case(server: tuple[Provider, str]) -> Case:
    provider, url = server
    vars(provider).update(vars(Provider()))
    return Case(provider, url)


def ago(**delta: float) -> str:
    return (datetime.now(UTC) - timedelta(**delta)).isoformat()


# The way there


def test_the_link_asks_for_a_code_with_pkce(case: Case) -> None:
    link = case.handler.get_authorization_url()
    assert link.startswith("https://auth.example/ask?")
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    state = json.loads(case.provider.stored["_oauth_state"])
    verifier = json.loads(case.provider.stored["_oauth_flow"])["code_verifier"]
    digest = hashlib.sha256(verifier.encode()).digest()
    assert query == {
        "response_type": "code",
        "access_type": "offline",
        "client_id": "the-id",
        "scope": "a b c",
        "state": state,
        "redirect_uri": f"{constants.FIXIE_API_URL}/oauth",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    assert state.startswith("owner/agent:")
    assert len(state) > 40
    assert 43 <= len(verifier) <= 128
    assert "the-secret" not in link


def test_every_link_is_another(case: Case) -> None:
    assert case.begin()["state"] != case.begin()["state"]


def test_a_provider_may_have_a_query_of_its_own(case: Case) -> None:
    case.handler._params.auth_uri = "https://auth.example/ask?tenant=1"
    assert case.begin()["tenant"] == "1"


@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_a_provider_on_this_machine_may_be_without_tls(case: Case, scheme: str) -> None:
    case.handler._params.auth_uri = f"{scheme}://localhost:9000/ask"
    assert case.handler.get_authorization_url().startswith(f"{scheme}://localhost:9000/ask?")


@pytest.mark.parametrize("place", ["", "auth.example/ask", "javascript:alert(1)", "ftp://auth.example"])
def test_what_is_no_page_is_no_link(case: Case, place: str) -> None:
    case.handler._params.auth_uri = place
    with pytest.raises(ValueError, match="auth_uri"):
        case.handler.get_authorization_url()
    assert case.provider.stored == {}


def test_people_come_back_to_where_their_browsers_reach_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    params = OAuthParams("i", "s", "https://p.example/a", "https://p.example/t", ["x"])
    claims = VerifiedTokenClaims("o/a", False, "t", "http://127.0.0.1:9999")
    assert OAuthHandler(params, claims)._redirect_uri == "http://127.0.0.1:9999/oauth"
    monkeypatch.setenv("FIXIE_PUBLIC_URL", "https://fixie.example.com/")
    assert OAuthHandler(params, claims)._redirect_uri == "https://fixie.example.com/oauth"


# The way back


def test_a_code_becomes_a_token(case: Case) -> None:
    query = case.begin()
    verifier = json.loads(case.provider.stored["_oauth_flow"])["code_verifier"]
    case.provider.answers = [
        (200, JSON, '{"access_token": "granted", "expires_in": 3600, "refresh_token": "r"}')
    ]
    case.handler.authorize(query["state"], "the-code")
    assert case.provider.forms == [
        {
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": f"{constants.FIXIE_API_URL}/oauth",
            "code_verifier": verifier,
            "client_id": "the-id",
            "client_secret": "the-secret",
        }
    ]
    stored = case.stored_token()
    assert (stored["access_token"], stored["refresh_token"]) == ("granted", "r")
    expiry = datetime.fromisoformat(stored["expiry"])
    assert expiry.tzinfo is None  # UTC all the same: agents of the original read it too
    assert timedelta(minutes=59) < expiry.replace(tzinfo=UTC) - datetime.now(UTC) <= timedelta(minutes=60)
    assert case.handler.user_token() == case.handler.credentials() == "granted"
    assert list(case.provider.stored) == ["_oauth_token"]


ANSWERS = {
    "all": (JSON, '{"access_token": "t", "token_type": "Bearer", "scope": "a", "expires_in": 60}', True),
    "only the token": (JSON, '{"access_token": "t"}', False),
    "scopes differ": (JSON, '{"access_token": "t", "scope": "other"}', False),
    "scopes as a list": (JSON, '{"access_token": "t", "scope": ["a"]}', False),
    "expiry as text": (JSON, '{"access_token": "t", "expires_in": "60"}', True),
    "expiry with a fraction": (JSON, '{"access_token": "t", "expires_in": 60.5}', True),
    "expiry null": (JSON, '{"access_token": "t", "expires_in": null}', False),
    "expiry far away": (JSON, '{"access_token": "t", "expires_in": 1000000000000000}', True),
    "form": (FORM, "access_token=t&token_type=bearer&scope=a%2Cb", False),
    "form with expiry": (FORM, "access_token=t&expires_in=60", True),
    "form called text": ("text/plain", "access_token=t", False),
    "JSON called text": ("text/html", '{"access_token": "t"}', False),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_every_style_of_answer_is_understood(case: Case, what: str) -> None:
    kind, body, has_expiry = ANSWERS[what]
    case.provider.answers = [(200, kind, body)]
    case.handler.authorize(case.begin()["state"], "code")
    stored = case.stored_token()
    assert (stored["access_token"], stored["refresh_token"]) == ("t", None)
    assert (stored["expiry"] is not None) == has_expiry


REFUSALS = {
    "error": (400, JSON, '{"error": "invalid_grant", "error_description": "used"}', "invalid_grant"),
    "error with 200": (200, FORM, "error=bad_verification_code&error_description=x", "bad_verification_code"),
    "server error": (503, JSON, '{"access_token": "t"}', "503"),
    "page": (200, "text/html", "<html>", "refused"),
    "page with 404": (404, "text/html", "<html>", "refused"),
    "token with 404": (404, JSON, '{"access_token": "t"}', "no token"),
    "redirect": (302, JSON, '{"access_token": "t"}', "no token"),
    "list": (200, JSON, "[]", "cannot be read"),
    "null": (200, JSON, "null", "cannot be read"),
    "empty": (200, JSON, "", "refused"),
    "no token": (200, JSON, '{"token_type": "bearer"}', "refused"),
    "token null": (200, JSON, '{"access_token": null}', "no token"),
    "token a number": (200, JSON, '{"access_token": 5}', "no token"),
    "expiry a word": (200, JSON, '{"access_token": "t", "expires_in": "soon"}', "cannot be read"),
    "expiry infinite": (200, JSON, '{"access_token": "t", "expires_in": 1e999}', "cannot be read"),
    "nested": (200, JSON, "[" * 100_000, "cannot be read"),
    "huge": (200, JSON, " " * 2_000_000, "could not be reached"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_an_answer_without_a_token_is_an_error(case: Case, what: str) -> None:
    status, kind, body, says = REFUSALS[what]
    case.provider.answers = [(status, kind, body)]
    with pytest.raises(OAuthError, match=says) as caught:
        case.handler.authorize(case.begin()["state"], "the-code")
    assert "_oauth_token" not in case.provider.stored
    assert not any(secret in str(caught.value) for secret in ("the-secret", "the-code", "query-token"))


def test_nothing_secret_is_logged_at_any_level(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    case.provider.answers = [
        (200, JSON, '{"access_token": "first-token", "refresh_token": "renewal-token", "expires_in": 1}'),
        (200, JSON, '{"access_token": "second-token", "refresh_token": "rotated-token"}'),
    ]
    case.handler.authorize(case.begin()["state"], "the-code")
    assert case.handler.user_token() == "second-token"
    secrets = ("the-secret", "the-code", "first-token", "renewal-token", "second-token", "rotated-token")
    assert not [secret for secret in secrets if secret in caplog.text]


def test_who_comes_back_without_a_code_can_still_use_the_link(case: Case) -> None:
    state = case.begin()["state"]
    with pytest.raises(ValueError, match="without a code"):
        case.handler.authorize(state, "")
    case.handler.authorize(state, "code")


def test_a_state_is_good_once(case: Case) -> None:
    state = case.begin()["state"]
    case.handler.authorize(state, "code")
    with pytest.raises(ValueError, match="state"):
        case.handler.authorize(state, "code")
    assert len(case.provider.forms) == 1


def test_a_state_is_gone_even_when_the_exchange_fails(case: Case) -> None:
    state = case.begin()["state"]
    case.provider.answers = [(500, JSON, "")]
    with pytest.raises(OAuthError):
        case.handler.authorize(state, "code")
    with pytest.raises(ValueError, match="state"):
        case.handler.authorize(state, "code")


@pytest.mark.parametrize("state", ["", "owner/agent:other", "owner/agent:é", "\ud800"])
def test_a_foreign_state_changes_nothing(case: Case, state: str) -> None:
    good = case.begin()["state"]
    with pytest.raises(ValueError, match=r"state|surrogates"):
        case.handler.authorize(state, "code")
    assert case.provider.forms == []
    case.handler.authorize(good, "code")


def test_without_a_link_no_state_is_good(case: Case) -> None:
    for state in ("", "None", "null"):
        with pytest.raises(ValueError, match="state"):
            case.handler.authorize(state, "code")


def test_an_old_link_is_no_good(case: Case) -> None:
    state = case.begin()["state"]
    flow = {"code_verifier": "v", "expires": time.time() - 1}
    case.provider.stored["_oauth_flow"] = json.dumps(flow)
    with pytest.raises(ValueError, match="too long"):
        case.handler.authorize(state, "code")
    assert case.provider.forms == []


def test_a_flow_of_the_original_sdk_can_be_finished(case: Case) -> None:
    case.provider.stored["_oauth_state"] = '"owner/agent:abc"'
    case.handler.authorize("owner/agent:abc", "code")
    assert "code_verifier" not in case.provider.forms[0]


# Having a token


def test_without_a_token_there_is_none(case: Case) -> None:
    assert case.handler.user_token() is None


@pytest.mark.parametrize(
    "expiry", [None, ago(hours=-1), ago(hours=-1).removesuffix("+00:00")], ids=["none", "aware", "naive"]
)
def test_a_token_is_good_until_it_expires(case: Case, expiry: str | None) -> None:
    case.store_token(expiry=expiry)
    assert case.handler.user_token() == "old"
    assert case.provider.forms == []


@pytest.mark.parametrize(
    "expiry",
    [ago(seconds=1), ago(seconds=1).removesuffix("+00:00"), ago(seconds=-10)],
    ids=["aware", "naive", "nearly"],
)
def test_an_expired_token_is_none(case: Case, expiry: str) -> None:
    case.store_token(expiry=expiry)
    assert case.handler.user_token() is None


@pytest.mark.parametrize(
    ("granted", "kept"),
    [({"access_token": "new"}, "r"), ({"access_token": "new", "refresh_token": "rotated"}, "rotated")],
)
def test_an_expired_token_is_renewed(case: Case, granted: dict[str, str], kept: str) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [(200, JSON, json.dumps(granted | {"expires_in": 60}))]
    assert case.handler.user_token() == "new"
    assert case.handler.user_token() == "new"
    assert case.provider.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "r",
            "client_id": "the-id",
            "client_secret": "the-secret",
        }
    ]
    assert case.stored_token()["refresh_token"] == kept


@pytest.mark.parametrize("code", ["invalid_grant", "bad_refresh_token", "invalid_refresh_token"])
def test_a_permission_that_was_taken_back_is_none(case: Case, code: str) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [(400, JSON, json.dumps({"error": code}))]
    assert case.handler.user_token() is None


@pytest.mark.parametrize("answer", [(500, JSON, ""), (401, JSON, '{"error": "invalid_client"}')])
def test_a_provider_that_fails_is_not_a_permission_taken_back(
    case: Case, answer: tuple[int, str, str]
) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [answer]
    with pytest.raises(OAuthError):
        case.handler.user_token()
    assert case.stored_token()["refresh_token"] == "r"


def test_a_token_that_was_renewed_elsewhere_meanwhile_is_taken(case: Case) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    stored = case.handler._storage["_oauth_token"]
    case.store_token(access_token="renewed elsewhere")
    assert case.handler._token_renewed_elsewhere(stored) == "renewed elsewhere"


def test_a_token_that_another_process_is_about_to_store_is_waited_for(case: Case) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [(400, JSON, '{"error": "invalid_grant"}')]  # the other one was faster
    storing = threading.Timer(0.25, case.store_token, kwargs={"access_token": "renewed elsewhere"})
    storing.start()
    assert case.handler.user_token() == "renewed elsewhere"
    storing.join()


def test_of_many_queries_at_once_one_renews(case: Case) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    granted = {"access_token": "new", "refresh_token": "rotated", "expires_in": 60}
    refused = (400, JSON, '{"error": "invalid_grant"}')
    case.provider.answers = [(200, JSON, json.dumps(granted)), refused]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(lambda _: case.handler.user_token(), range(8)))
    assert tokens == ["new"] * 8
    assert len(case.provider.forms) == 1


MALFORMED = [
    '"no json"', "5", "[]", '"null"', '"[]"', '"5"', '"{}"', json.dumps('{"access_token": "t"}'),
    json.dumps('{"access_token": 5, "expiry": null, "refresh_token": null}'),
    json.dumps('{"access_token": "t", "expiry": "soon", "refresh_token": null}'),
    json.dumps('{"access_token": "t", "expiry": 5, "refresh_token": null}'),
    json.dumps('{"access_token": "t", "expiry": null, "refresh_token": 5}'),
]  # fmt: skip


@pytest.mark.parametrize("stored", MALFORMED)
def test_what_is_not_a_token_is_deleted(case: Case, stored: str) -> None:
    case.provider.stored["_oauth_token"] = stored
    assert case.handler.user_token() is None
    assert case.provider.stored == {}


# The func `_oauth`


def test_the_platform_brings_the_user_back(case: Case) -> None:
    text = json.dumps({"state": case.begin()["state"], "code": "code"})
    assert oauth.finish_authorization(Message(text), case.handler) == "Authorization successful!"
    assert case.handler.user_token() == "granted"


@pytest.mark.parametrize(
    "text", ["", "no", "[]", "null", "{}", '{"state": "x"}', '{"state": 1, "code": 2}', "[" * 9999]
)
def test_what_brings_nobody_back_is_a_bad_request(case: Case, text: str) -> None:
    with pytest.raises(AgentException) as caught:
        oauth.finish_authorization(Message(text), case.handler)
    assert (caught.value.http_status_code, caught.value.error_code) == (400, "ERR_OAUTH_FAILED")


def test_a_provider_that_fails_is_a_bad_gateway(case: Case) -> None:
    case.provider.answers = [(500, JSON, "")]
    text = json.dumps({"state": case.begin()["state"], "code": "code"})
    with pytest.raises(AgentException) as caught:
        oauth.finish_authorization(Message(text), case.handler)
    assert caught.value.http_status_code == 502


def test_a_token_that_cannot_be_kept_is_a_bad_gateway(case: Case) -> None:
    text = json.dumps({"state": case.begin()["state"], "code": "code"})
    case.provider.is_full = True
    with pytest.raises(AgentException, match="storage of this user with this agent is full") as caught:
        oauth.finish_authorization(Message(text), case.handler)
    assert caught.value.http_status_code == 502


# Parameters


@pytest.mark.parametrize("kind", ["web", "installed"])
def test_a_client_is_read_from_googles_file(tmp_path: pathlib.Path, kind: str) -> None:
    client = {"client_id": "i", "client_secret": "s", "auth_uri": "a", "token_uri": "t", "project_id": "p"}
    path = tmp_path / "client_secrets.json"
    path.write_text(json.dumps({kind: client}))
    assert OAuthParams.from_client_secrets_file(str(path), ["x"]) == OAuthParams("i", "s", "a", "t", ["x"])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"web": []}', '{"web": {"client_id": "i"}}', '{"other": {}}']
)
def test_a_file_without_a_client_says_so(tmp_path: pathlib.Path, content: str) -> None:
    path = tmp_path / "client_secrets.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"client|Expecting value"):
        OAuthParams.from_client_secrets_file(path, [])


def test_secrets_are_not_shown() -> None:
    assert "the-secret" not in repr(OAuthParams("i", "the-secret", "a", "t", []))
    assert "hidden" not in repr(oauth._Token("hidden", None, "hidden"))


def test_an_anonymous_query_cannot_give_permission() -> None:
    with pytest.raises(AgentException) as caught:
        OAuthHandler(OAuthParams("i", "s", "a", "t", []), VerifiedTokenClaims("o/a", True, "t"))
    assert caught.value.http_status_code == 400


def test_agents_without_oauth_do_not_pay_for_it() -> None:
    program = "import fixieai, sys; fixieai.CodeShotAgent, fixieai.OAuthHandler; print(sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "fixieai.agents.oauth" in loaded
    assert "oauthlib" not in loaded


def test_requests_mock_answers_for_the_provider(requests_mock: requests_mocking.Mocker) -> None:
    handler = OAuthHandler(OAuthParams("i", "s", "https://p.example/a", "https://p.example/t", ["x"]), CLAIMS)
    base = f"{constants.FIXIE_USER_STORAGE_URL}/owner/agent"
    stored = json.dumps({"access_token": "old", "expiry": ago(hours=1), "refresh_token": "r"})
    requests_mock.get(f"{base}/_oauth_token", json={"data": json.dumps(stored)})
    requests_mock.post(f"{base}/_oauth_token", json={})
    requests_mock.post("https://p.example/t", json={"access_token": "new"})
    assert handler.user_token() == "new"
