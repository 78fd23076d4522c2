"""The way to the provider and back, and the func that finishes it."""

import base64
import hashlib
import json
import logging
import time
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest
from oauth_provider import FORM, JSON, Case

from fixieai import constants
from fixieai.agents import oauth
from fixieai.agents.exceptions import AgentException
from fixieai.agents.oauth import OAuthError, OAuthHandler, OAuthParams
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.messages import Message

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
