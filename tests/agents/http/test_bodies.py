"""What an agent makes of a request's body: through a real server, as an attacker sees it."""

import http.client
import socket
import urllib.parse
from typing import Any

import pytest
from odd_funcs import Post

OK = b'{"message": {"text": "x"}'
WRONG_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{not json",
    "more than one": OK + b"} {}",
    "null": b"null",
    "array": b"[]",
    "text": b'"x"',
    "number": b"1",
    "no message": b"{}",
    "message null": b'{"message": null}',
    "message text": b'{"message": "x"}',
    "message array": b'{"message": ["x"]}',
    "no text": b'{"message": {}}',
    "text null": b'{"message": {"text": null}}',
    "text number": b'{"message": {"text": 1}}',
    "text array": b'{"message": {"text": ["x"]}}',
    "token number": OK + b', "access_token": 1}',
    "embeds null": b'{"message": {"text": "x", "embeds": null}}',
    "embeds array": b'{"message": {"text": "x", "embeds": []}}',
    "embed null": b'{"message": {"text": "x", "embeds": {"a": null}}}',
    "embed without uri": b'{"message": {"text": "x", "embeds": {"a": {"content_type": "t/p"}}}}',
    "embed without type": b'{"message": {"text": "x", "embeds": {"a": {"uri": "data:,"}}}}',
    "embed with a number": b'{"message": {"text": "x", "embeds": {"a": {"content_type": 1, "uri": ""}}}}',
    "NaN": OK + b', "x": NaN}',
    "infinity": OK + b', "x": [-Infinity]}',
    "NaN as text": b'{"message": {"text": NaN}}',
    "long integer": OK + b', "x": ' + b"9" * 100_000 + b"}",
    "nested arrays": OK + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested mappings": b'{"message":' * 100_000 + b"1" + b"}" * 100_000,
    "open arrays": b"[" * 100_000,
    "invalid UTF-8": b'{"message": {"text": "\xff"}}',
    "overlong UTF-8": b'{"message": {"text": "\xc0\xaf"}}',
    "surrogate in UTF-8": b'{"message": {"text": "\xed\xa0\x80"}}',
    "UTF-16": (OK + b"}").decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + OK + b"}",
    "lone surrogate": b'{"message": {"text": "\\ud800"}}',
    "lone surrogate in a key": b'{"message": {"text": "x", "embeds": {"\\udc00": null}}}',
    "NUL": b'{"message": {"text": "a\\u0000b"}}',
    "NUL after a backslash": b'{"message": {"text": "a\\\\\\u0000b"}}',
    "NUL in a key": b'{"message": {"text": "x", "embeds": {"\\u0000": {"content_type": "t", "uri": "u"}}}}',
    "raw NUL": b'{"message": {"text": "a\x00b"}}',
    "raw newline": b'{"message": {"text": "a\nb"}}',
    "half a million embeds": b'{"message":{"text":"","embeds":{%s}}}'
    % b",".join(b'"%d":1' % number for number in range(350_000)),
    "ten thousand wrong embeds": b'{"message":{"text":"","embeds":{%s}}}'
    % b",".join(b'"%d":1' % number for number in range(5_000)),
    "a long key": b'{"message":{"text":"","embeds":{"%s":1}}}' % (b"k" * 1_000_000),
}


@pytest.mark.parametrize("what", WRONG_BODIES)
def test_a_wrong_body_is_told_what_is_wrong_and_where(post: Post, what: str) -> None:
    answer = post("echo", WRONG_BODIES[what])
    assert answer.status_code == 422
    problems = answer.json()["detail"]
    assert 0 < len(problems) <= 20
    for problem in problems:
        assert set(problem) == {"loc", "msg", "type"}
        assert problem["loc"][0] == "body"
    assert len(answer.content) < 10_000
    assert "Traceback" not in answer.text
    assert post("echo").status_code == 200


def test_the_place_of_a_problem_is_named(post: Post) -> None:
    answer = post("echo", {"message": {"text": None}})
    assert answer.json() == {
        "detail": [
            {
                "loc": ["body", "message", "text"],
                "msg": "Input should be a valid string",
                "type": "string_type",
            }
        ]
    }


@pytest.mark.parametrize(
    "body", [{"partition": 1}, {"page_token": []}, [], None, "x", {"partition": "\0"}], ids=range(6)
)
def test_a_corpus_request_has_a_shape_too(post: Post, body: Any) -> None:
    assert post("corpus/documents", body).status_code == 422


def test_text_that_only_looks_dangerous_arrives(post: Post) -> None:
    for text in ("NaN", "Infinity", "\\u0000", "\\\\u0000", "\U0001f600", "\x7f\x80", "a\nb", "\u2028"):
        assert post("echo", {"message": {"text": text}}).json()["message"]["text"] == text


def test_of_repeated_keys_the_last_counts(post: Post) -> None:
    answer = post("echo", b'{"message": {"text": "a"}, "message": {"text": "b", "text": "c"}}')
    assert answer.json()["message"]["text"] == "c"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_body_that_is_not_said_to_be_json_is_not_read(post: Post, content_type: str) -> None:
    answer = post("echo", headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body"])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x"])
def test_a_compressed_body_is_refused_unread(post: Post, encoding: str) -> None:
    answer = post("echo", b"\x1f\x8b" + b"\0" * 1000, headers={"Content-Encoding": encoding})
    assert (answer.status_code, set(answer.json())) == (415, {"detail"})


def test_a_large_body_is_refused_by_its_declared_length(url: str, key_server: Any) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {key_server.token()}", "Content-Length": str(64 * 1024 * 1024)}
    connection.request("POST", "/echo", b"{", headers)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_large_body_is_refused_by_count(url: str, key_server: Any) -> None:
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Authorization: Bearer " + key_server.token().encode() + b"\r\n\r\n"
        )
        chunk = b"x" * 64 * 1024
        for _ in range(65):
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_ends_early_ends_nothing_else(url: str, post: Post, key_server: Any) -> None:
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
            b"Authorization: Bearer " + key_server.token().encode() + b"\r\n\r\n{"
        )
    assert post("echo").status_code == 200
