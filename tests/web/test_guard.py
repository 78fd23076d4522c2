import http.client
import json
import logging
import urllib.parse
from collections.abc import Callable

import pytest
from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from fixieai.errors import FixieError
from fixieai.web import guard as guards
from fixieai.web.guard import Guard
from fixieai.web.server import BackgroundServer

LOCAL = {
    "hosts": frozenset({"127.0.0.1", "localhost:8180", "[::1]"}),
    "origins": frozenset({"http://127.0.0.1:8180"}),
}


def _request(target: str = "/echo", *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    given = "\r\n".join([f"{method} {target} HTTP/1.1", "Connection: close", *headers])
    if not any(header.lower().startswith("host:") for header in headers):
        given += "\r\nHost: 127.0.0.1"
    return given.encode("latin-1") + b"\r\n\r\n" + body


def _post(*headers: str, body: bytes = b"{}", target: str = "/echo") -> bytes:
    return _request(target, f"Content-Length: {len(body)}", *headers, method="POST", body=body)


@pytest.fixture(scope="module")
def local(serve: Callable[..., BackgroundServer], guarded: Callable[..., Guard]) -> BackgroundServer:
    return serve(guarded(**LOCAL, maximum_body_bytes=1000, body_limits=(("/json", 5000),)))


def test_an_ordinary_request_passes_and_its_answer_carries_a_reference(local, talk) -> None:
    reply = talk(local, _post("Authorization: Bearer abc", "Origin: http://127.0.0.1:8180"))
    assert reply.status == 200
    assert len(reply.headers["x-request-reference"]) == 14
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "server" not in reply.headers


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (_request("/echo", "Host: 127.0.0.1:9999"), 200),
        (_request("/echo", "Host: LOCALHOST:8180"), 200),
        (_request("/echo", "Host: [::1]:8180"), 200),
        (_request("/echo", "Host: [::1]"), 200),
        (_request("/echo", "Host: localhost:8181"), 421),
        (_request("/echo", "Host: evil.example"), 421),
        (_request("/echo", "Host: 127.0.0.1.evil.example"), 421),
        (_request("/echo", "Host: 127.0.0.1:80:80"), 421),
        (_request("/echo", "Host: 127.0.0.1@evil.example"), 421),
        (_request("/echo", "Host: "), 421),
        (_request("/echo", "Host: 127.0.0.1", "Host: evil.example"), 400),
        (b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    ],
)
def test_only_its_own_host_names_are_answered(local, talk, data: bytes, status: int) -> None:
    assert talk(local, data).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Origin: http://127.0.0.1:8180"], 200),
        (["Origin: http://127.0.0.1:3000"], 403),
        (["Origin: https://evil.example"], 403),
        (["Origin: null"], 403),
        (["Origin: http://127.0.0.1:8180", "Origin: https://evil.example"], 400),
        (["Sec-Fetch-Site: same-origin"], 200),
        (["Sec-Fetch-Site: none"], 200),
        (["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"], 403),
        (["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"], 403),
        (["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"], 200),
    ],
)
def test_web_pages_elsewhere_get_nothing(local, talk, headers: list[str], status: int) -> None:
    assert talk(local, _request("/echo", *headers)).status == status


def test_a_preflight_from_elsewhere_gets_no_cors_headers(local, talk) -> None:
    reply = talk(
        local,
        _request(
            "/echo", "Origin: https://evil.example", "Access-Control-Request-Method: POST", method="OPTIONS"
        ),
    )
    assert reply.status == 403
    assert not any(name.startswith("access-control") for name in reply.headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Authorization: Bearer a.b-c_d~e+f/g="], 200),
        (["Authorization: Bearer not a token"], 200),
        (["Authorization: "], 200),
        (["Authorization: Bearer a", "Authorization: Bearer a"], 403),
        (["Authorization: Bearer a", "authorization: Basic b"], 403),
        (["Authorization: Bearer \xe9"], 403),
        (["Authorization: @@@ abc"], 403),
        ([f"Authorization: Bearer {'a' * 40_000}"], 431),
    ],
)
def test_one_well_formed_authorization_at_most(local, talk, headers: list[str], status: int) -> None:
    assert talk(local, _request("/echo", *headers)).status == status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (_request("/echo", *[f"X-{number}: 1" for number in range(101)]), 431),
        (_request("/echo", f"X-Long: {'a' * 33_000}"), 431),
        (_request("/echo?" + "a" * 33_000), 431),
        (_request("/echo", method="TRACE"), 405),
        (_request("/echo", method="PROPFIND"), 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /echo\r\n\r\n", 400),
        (_request("/%ff"), 400),
        (_request("/%00"), 400),
        (_request("/echo?a=%00"), 400),
        (_request("/echo?a=%fe"), 400),
        (_request("/%C3%A9?a=%C3%A9"), 404),
        (_post("Content-Encoding: gzip"), 415),
        (_post("Content-Encoding: br, gzip"), 415),
        (_post("Content-Encoding: identity"), 200),
        (_request("/echo", "Transfer-Encoding: gzip, chunked", method="POST", body=b"0\r\n\r\n"), 415),
        (_post("Content-Type: application/json", "Content-Type: text/plain"), 400),
    ],
)
def test_a_head_that_cannot_be_served_is_refused_before_routing(
    local, talk, data: bytes, status: int
) -> None:
    assert talk(local, data).status == status


def test_a_body_is_refused_by_its_declared_length_before_it_is_sent(local, talk) -> None:
    reply = talk(local, _request("/echo", "Content-Length: 1001", "Expect: 100-continue", method="POST"))
    assert reply.status == 413
    assert "1,000 bytes" in reply.error["message"]


def test_a_chunked_body_is_refused_by_count(local, talk) -> None:
    chunk = b"64\r\n" + b"a" * 100 + b"\r\n"
    head = ("/echo", "Transfer-Encoding: chunked")
    assert talk(local, _request(*head, method="POST", body=chunk * 10 + b"0\r\n\r\n")).status == 200
    assert talk(local, _request(*head, method="POST", body=chunk * 11)).status == 413


def test_some_paths_may_take_larger_bodies(local, talk) -> None:
    body = json.dumps("a" * 4000).encode()
    assert talk(local, _post("Content-Type: application/json", body=body, target="/json")).status == 200
    assert talk(local, _post(body=body)).status == 413


def test_a_client_that_sends_64_megabytes_reads_why_it_was_refused(local) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(local.url).netloc)
    connection.request("POST", "/echo", body=b"a" * 64_000_000)
    response = connection.getresponse()
    assert (response.status, json.load(response)["error"]["code"]) == (413, "too_large")
    connection.request("GET", "/echo")
    assert connection.getresponse().status == 200
    connection.close()


def test_an_unhandled_exception_is_told_to_the_log_alone(
    local, talk, caplog: pytest.LogCaptureFixture
) -> None:
    reply = talk(local, _request("/fail"))
    assert reply.status == 500
    assert reply.error["code"] == "internal_error"
    assert reply.error["reference"] == reply.headers["x-request-reference"]
    assert b"secret" not in reply.raw
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert reply.error["reference"] in record.getMessage()
    assert "the secret inside" in str(record.exc_info)


def test_an_exception_after_the_answer_began_closes_the_connection(local, talk, caplog) -> None:
    reply = talk(local, _request("/fail-midway"))
    assert reply.is_closed
    assert b"first" in reply.raw
    assert not reply.raw.endswith(b"0\r\n\r\n")
    assert b"secret" not in reply.raw
    assert reply.headers["x-request-reference"] in caplog.text


def test_an_application_without_handlers_is_answered_for(serve, talk) -> None:
    async def bare(scope, receive, send) -> None:
        if scope["type"] == "http":
            raise RuntimeError("the secret inside")

    reply = talk(serve(Guard(bare, guards.GuardSettings())), _request("/"))
    assert (reply.status, reply.error["code"]) == (500, "internal_error")


def test_a_server_may_have_its_own_shape_of_refusals(serve, guarded, talk) -> None:
    def render(error: FixieError, reference: str) -> Response:
        is_credential = isinstance(error, guards.MalformedAuthorization)
        return JSONResponse({"detail": "Invalid" if is_credential else error.message}, error.status)

    server = serve(guarded(render=render))
    twice = talk(server, _request("/echo", "Authorization: Bearer a", "Authorization: Bearer b"))
    assert (twice.status, twice.raw.rpartition(b"\r\n")[2]) == (403, b'{"detail":"Invalid"}')
    assert talk(server, _request("/fail")).raw.endswith(
        b'{"detail":"Something went wrong on the platform\'s side."}'
    )


def test_websockets_are_refused(guarded) -> None:
    with (
        TestClient(guarded()) as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/echo"),
    ):
        pass


def test_a_client_that_leaves_in_mid_body_is_no_error(local, connect, talk, caplog) -> None:
    connection = connect(local)
    connection.send(_request("/echo", "Content-Length: 100", method="POST", body=b"half"))
    connection.close()
    assert talk(local, _request("/echo")).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
