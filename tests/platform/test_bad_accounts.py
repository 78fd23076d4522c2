"""Nothing that is sent to the doors of accounts breaks anything, and nobody gets in by it."""

import json

import pytest

NAMES = [
    "..",
    "%2e%2e",
    "a%2fb",
    "local%00",
    "LOCAL",
    "local ",
    "lo\u0441al",
    "' OR 1=1 --",
    "x" * 5000,
    "{0}",
    "%25",
]
BODIES = [
    "",
    "null",
    "[]",
    "{}",
    '"x"',
    "{",
    '{"username": null, "password": null}',
    '{"username": ["local"], "password": {}}',
    '{"username": "local", "password": 7, "code": true}',
    '{"username": "local\\u0000", "password": "correct horse"}',
    '{"username": "local\\ud800", "password": "correct horse", "code": "\\ud800"}',
    json.dumps({"username": "x" * 301, "password": "x" * 301, "code": "x" * 301}),
    "[" * 15_000,
]
DOORS = ["/api/sign-in", "/api/invitations"]


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_what_is_no_sign_in_is_refused(http, path: str, body: str) -> None:
    headers = {"Authorization": None, "Content-Type": "application/json"}

    answer = http("POST", path, data=body.encode("utf-8"), headers=headers)

    assert answer.status_code in (400, 403, 422)
    assert set(answer.json()["error"]) == {"code", "message", "reference"}


@pytest.mark.parametrize("path", [*DOORS, "/access/token"])
def test_nobody_sends_much_before_they_are_known(http, path: str) -> None:
    body = json.dumps({"username": "x" * 20_000}).encode("utf-8")

    answer = http(
        "POST", path, data=body, headers={"Authorization": None, "Content-Type": "application/json"}
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body", ["", "=", "&&&", "a=b&a=b", "%ff=%ff", "grant_type", "&".join("abcdefghijklmnopqrstuvwxyz")]
)
def test_what_is_no_form_gets_no_key(http, body: str) -> None:
    headers = {"Authorization": None, "Content-Type": "application/x-www-form-urlencoded"}

    answer = http("POST", "/access/token", data=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_request", "unsupported_grant_type"}


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_names_of_nobody(http, name: str) -> None:
    for method, path in (("GET", "keys"), ("POST", "keys"), ("POST", "invitation")):
        answer = http(method, f"/api/users/{name}/{path}", json={"name": "x"})
        assert answer.status_code in (400, 404, 405)
    assert http("DELETE", f"/api/users/{name}").status_code in (400, 404, 405)
    assert http("DELETE", f"/api/keys/{name}").status_code in (400, 404, 405)
    assert http("GET", "/api/user").json()["username"] == "local"


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, "1' OR '1", "\u0661"])
def test_a_cursor_that_is_none_is_refused(http, after: str) -> None:
    assert http("GET", "/api/users", params={"after": after}).status_code == 422
