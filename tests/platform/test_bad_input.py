"""Every bad request gets a 4xx that says what is wrong and where; nothing changes and the server goes on."""

import gzip
import json
import socket

import pytest

from fixieai import testing

QUERY = "/api/agents/dice"
DEEP = b"[" * 100_000 + b"]" * 100_000
BODIES = [
    ("empty", b"", 422),
    ("not JSON", b"roll!", 422),
    ("cut off", b'{"message": {"text": "Ro', 422),
    ("a list", b"[]", 422),
    ("null", b"null", 422),
    ("no message", b"{}", 422),
    ("message null", b'{"message": null}', 422),
    ("message text", b'{"message": "hi"}', 422),
    ("text missing", b'{"message": {}}', 422),
    ("text null", b'{"message": {"text": null}}', 422),
    ("text a number", b'{"message": {"text": 5}}', 422),
    ("text empty", b'{"message": {"text": ""}}', 422),
    ("text blank", b'{"message": {"text": " \\n "}}', 422),
    ("text NUL", b'{"message": {"text": "a\\u0000b"}}', 422),
    ("lone surrogate", b'{"message": {"text": "\\ud800"}}', 422),
    ("invalid UTF-8", b'{"message": {"text": "\xff"}}', 422),
    ("NaN", b'{"message": {"text": "a"}, "n": NaN}', 422),
    ("huge integer", b'{"message": {"text": "a"}, "n": ' + b"9" * 10_000 + b"}", 422),
    ("deep nesting", DEEP, 422),
    ("duplicate keys", b'{"message": {"text": "a"}, "message": {"text": "b"}}', 422),
    ("embed without a type", b'{"message": {"text": "a", "embeds": {"k": {"uri": "x:"}}}}', 422),
    ("embed without a uri", b'{"message": {"text": "a", "embeds": {"k": {"content_type": "t/p"}}}}', 422),
    (
        "embed of a file",
        b'{"message": {"text": "a", "embeds": {"k": {"content_type": "t", "uri": "file:///"}}}}',
        422,
    ),
    (
        "embed's uri a number",
        b'{"message": {"text": "a", "embeds": {"k": {"content_type": "t", "uri": 1}}}}',
        422,
    ),
    ("embeds a list", b'{"message": {"text": "a", "embeds": []}}', 422),
    ("session a number", b'{"message": {"text": "a"}, "session": 7}', 422),
    ("session unknown", b'{"message": {"text": "a"}, "session": "no-such-session"}', 404),
    ("text too long", json.dumps({"message": {"text": "a" * 300_000}}).encode(), 422),
    ("body too large", b" " * (17 * 1024 * 1024), 413),
]


@pytest.mark.parametrize(("body", "status"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_a_bad_body_is_refused_with_its_reason(http, body: bytes, status: int) -> None:
    before = len(http("GET", "/api/sessions").json()["sessions"])

    response = http("POST", QUERY, data=body, headers={"Content-Type": "application/json"})

    assert response.status_code == status
    error = response.json()["error"]
    assert error["message"]
    assert error["reference"] == response.headers["X-Request-Reference"]
    assert "Traceback" not in response.text
    assert len(http("GET", "/api/sessions").json()["sessions"]) == before
    assert http("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json", "Host": "evil.example"}, 421),
        ({"Content-Type": "application/json", "Origin": "https://evil.example"}, 403),
        ({"Content-Type": "application/json", "X-Long": "a" * 60_000}, 431),
        ({"Content-Type": "application/json", "Authorization": "Basic bG9jYWw6"}, 401),
        ({"Content-Type": "application/json", "Authorization": "Bearer " + "a" * 20_000}, 403),
    ],
)
def test_a_bad_head_is_refused(http, headers: dict[str, str], status: int) -> None:
    body = gzip.compress(b"{}") if "Content-Encoding" in headers else b'{"message": {"text": "Roll a d6"}}'

    response = http("POST", QUERY, data=body, headers=headers)

    assert response.status_code == status
    assert "Traceback" not in response.text


HANDLES = [
    "",
    ".",
    "..",
    "%2e%2e",
    "a/b/c/d",
    "..%2f..",
    "a\\b",
    "a" * 10_000,
    "%00",
    "' OR 1=1 --",
    "{0}",
    "ДИЦЕ",
]


@pytest.mark.parametrize("handle", HANDLES, ids=lambda handle: handle[:20] or "empty")
@pytest.mark.parametrize("place", ["agents/local", "sessions"])
def test_odd_names_find_nothing_and_break_nothing(http, place: str, handle: str) -> None:
    response = http("GET", f"/api/{place}/{handle}")

    assert response.status_code in (200, 400, 404, 405, 431) if handle in ("", ".", "..") else (400, 404, 431)
    assert response.status_code < 500
    assert "Traceback" not in response.text


@pytest.mark.parametrize("handle", ["-x", "a b", "a.b", "é", "a" * 65])
def test_an_agent_cannot_be_registered_under_what_is_no_handle(http, handle: str) -> None:
    response = http("PUT", f"/api/agents/local/{handle}", json={"url": None})

    assert response.status_code == 422
    assert "handle" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("ftp://127.0.0.1/", 422),
        ("file:///etc/passwd", 422),
        ("http://user:pass@127.0.0.1/", 422),
        ("http://127.0.0.1\\@evil.example/", 422),
        ("http://169.254.169.254/latest", 403),
        ("http://10.0.0.1/", 403),
        ("http://[::ffff:10.0.0.1]/", 403),
        ("http://127.0.0.1:1/", 502),
        ("", 422),
        ("not a url", 422),
    ],
)
def test_an_address_that_cannot_be_an_agents_is_refused_and_not_stored(http, url: str, status: int) -> None:
    response = http("PUT", "/api/agents/local/never-stored", json={"url": url})

    assert response.status_code == status
    assert http("GET", "/api/agents/local/never-stored").status_code == 404


def test_somebody_elses_agents_answer_as_if_they_did_not_exist(http) -> None:
    missing = http("DELETE", "/api/agents/local/missing")
    foreign = http("DELETE", "/api/agents/somebody/dice")

    assert missing.status_code == foreign.status_code == 404
    assert missing.json()["error"]["message"] == foreign.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=x", "limit=1e9", "after=x", "after=" + "9" * 30]
)
def test_paging_parameters_that_are_no_numbers_are_refused(http, query: str) -> None:
    session = http("POST", "/api/sessions", json={}).json()["handle"]

    assert http("GET", f"/api/sessions/{session}/messages?{query}").status_code == 422


def test_garbage_on_the_wire_is_answered_or_dropped_and_the_server_goes_on(
    platform: testing.Platform, http
) -> None:
    port = int(platform.url.rpartition(":")[2])
    for garbage in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/user HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            assert b"Traceback" not in connection.recv(4096)

    assert http("GET", "/healthz").status_code == 200
