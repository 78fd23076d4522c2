"""How a command line gets a key: the original's code flow, and ours with PKCE."""

import base64
import hashlib
import time
import urllib.parse
from collections.abc import Iterator

import pytest
import requests

from fixieai import errors, testing
from fixieai.platform import authorizations
from fixieai.platform.auth import Caller

CLIENT = "II4FM6ToxVwSKB6DW1r114AKAuSnuZEgYehEBB-5WQA"
REDIRECT = "http://localhost:51234"
ASKED = {
    "client_id": CLIENT,
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "api-access",
    "state": "a b/+=&?#%\u00e9",
}
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@pytest.fixture(scope="module")
def ann() -> Iterator[testing.Platform]:
    """Somebody who signs in; her key is one that lasts."""
    with testing.platform() as running:
        yield running.add_user("ann")


def allow(platform: testing.Platform, asked: dict[str, str]) -> str:
    """Where the page sends the browser when she agrees."""
    query = urllib.parse.urlencode(asked)
    answer = platform.call("POST", f"/api/authorizations?{query}")
    return str(answer["goTo"])


def naive(address: str) -> dict[str, str]:
    """As the original's command line reads it: pairs, cut at the first `=`, percent-decoded."""
    query = address.partition("?")[2]
    pairs = (pair.split("=") for pair in query.split("&"))
    return {name: urllib.parse.unquote(value) for name, value in pairs}


def exchange(platform: testing.Platform, code: str, **fields: str | None) -> requests.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "scope": "api-access",
        "redirect_uri": REDIRECT,
        "client_id": CLIENT,
        **fields,
    }
    return requests.post(f"{platform.url}/access/token", data=form, timeout=60)


def test_the_original_command_line_signs_in(ann: testing.Platform) -> None:
    address = allow(ann, ASKED)

    assert address.startswith(f"{REDIRECT}?")
    assert "+" not in address
    answer = naive(address)
    assert answer["state"] == ASKED["state"]
    got = exchange(ann, answer["code"])
    assert (got.status_code, got.headers["Cache-Control"]) == (200, "no-store")
    key = got.json()["access_token"]
    user = requests.get(f"{ann.url}/api/user", headers={"Authorization": f"Bearer {key}"}, timeout=60)
    assert user.json()["username"] == "ann"
    assert ann.call("GET", "/api/users/ann/keys")["keys"][0]["name"] == authorizations.KEY_NAME


def test_with_pkce_the_code_needs_its_verifier(ann: testing.Platform) -> None:
    def tried(asked: dict[str, str], **fields: str | None) -> int:
        return exchange(ann, naive(allow(ann, asked))["code"], **fields).status_code

    with_challenge = {**ASKED, **PKCE}
    assert tried(with_challenge, code_verifier=VERIFIER) == 200
    assert tried(with_challenge) == 400
    assert tried(with_challenge, code_verifier="w" * 64) == 400
    assert tried(with_challenge, code_verifier=CHALLENGE) == 400
    assert tried(with_challenge, code_verifier="") == 400
    # A verifier where no challenge came: somebody took it away on the way.
    assert tried(ASKED, code_verifier=VERIFIER) == 400


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": "another"}, "invalid_client"),
        ({"redirect_uri": "http://localhost:51235"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": "x"}, "invalid_grant"),
        ({"code": None}, "invalid_grant"),
    ],
)
def test_what_does_not_fit_gets_no_key(
    ann: testing.Platform, fields: dict[str, str | None], error: str
) -> None:
    code = naive(allow(ann, ASKED))["code"]

    refused = exchange(ann, **{"code": code, **fields})  # type: ignore[arg-type]

    assert refused.status_code == 400
    assert refused.json()["error"] == error
    assert refused.json()["error_description"]


def test_a_code_works_once_and_is_gone_when_something_was_wrong(ann: testing.Platform) -> None:
    used, spoilt = (naive(allow(ann, ASKED))["code"] for _ in range(2))
    assert exchange(ann, used).ok
    assert exchange(ann, spoilt, redirect_uri="http://localhost:1").status_code == 400

    for code in (used, spoilt):
        assert exchange(ann, code).json()["error"] == "invalid_grant"


def test_a_code_ends_after_a_minute(ann: testing.Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorizations, "CODE_SECONDS", -1)
    code = naive(allow(ann, ASKED))["code"]

    assert exchange(ann, code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "redirect",
    [
        "https://localhost:5/",
        "http://localhost.example.com",
        "http://localhost@example.com",
        "http://localhost:5@example.com",
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.2",
        "http://localhost\\@example.com",
        "http://localhost:5/#x",
        "http://localhost:5/?x",
        "http://localhost:5/\n",
        "http://localhost:123456",
        "//localhost",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_code_goes_to_the_persons_own_machine_only(ann: testing.Platform, redirect: str) -> None:
    query = urllib.parse.urlencode({**ASKED, "redirect_uri": redirect})
    headers = {"Authorization": f"Bearer {ann.api_key}"}

    asked = requests.get(f"{ann.url}/api/authorization-requests?{query}", timeout=60)
    allowed = requests.post(f"{ann.url}/api/authorizations?{query}", headers=headers, timeout=60)

    assert (asked.status_code, allowed.status_code) == (400, 400)


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "x"},
        {"client_id": None},
        {"response_type": "token"},
        {"scope": "everything"},
        {"state": "x" * 1001},
        {"code_challenge": CHALLENGE},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": "short", "code_challenge_method": "S256"},
    ],
)
def test_what_is_asked_wrongly_is_not_allowed(change: dict[str, str | None]) -> None:
    asked = {name: value for name, value in {**ASKED, **change}.items() if value is not None}

    with pytest.raises(errors.BadRequest):
        authorizations.read(asked)


def test_a_parameter_that_comes_twice_is_refused(ann: testing.Platform) -> None:
    query = urllib.parse.urlencode([*ASKED.items(), ("redirect_uri", "http://localhost:1")])
    assert requests.get(f"{ann.url}/api/authorization-requests?{query}", timeout=60).status_code == 400
    form = f"grant_type=authorization_code&client_id={CLIENT}&code=a&code=b"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{ann.url}/access/token", data=form, headers=kind, timeout=60)
    assert answer.json()["error"] == "invalid_request"
    answer = requests.post(f"{ann.url}/access/token", json={"code": "x"}, timeout=60)
    assert answer.json()["error"] == "invalid_request"


def test_the_page_shows_where_the_answer_goes_before_anybody_signs_in(ann: testing.Platform) -> None:
    query = urllib.parse.urlencode(ASKED)
    shown = requests.get(f"{ann.url}/api/authorization-requests?{query}", timeout=60).json()

    assert shown["place"] == "localhost:51234"
    assert naive(shown["denied"]) == {"error": "access_denied", "state": ASKED["state"]}


async def test_an_old_page_signs_in_again_before_it_lets_anybody_in() -> None:
    service = authorizations.Authorizations(None, None)  # type: ignore[arg-type]
    long_ago = Caller(1, "ann", signed_in=int(time.time()) - 3600)
    with pytest.raises(errors.SignInAgain):
        await service.allow(long_ago, authorizations.read(ASKED))
