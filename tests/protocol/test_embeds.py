"""Embeds: data URIs of every vintage, and fetching with limits from a real server."""

import base64
import http.server
import pathlib
import threading
import time
from collections.abc import Iterator

import pydantic
import pytest
import requests
import requests_mock
from hypothesis import given
from hypothesis import strategies as st

from fixieai.protocol import embed_connections
from fixieai.protocol.embeds import Embed


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        getattr(self, "send_" + self.path.lstrip("/"))()

    def _begin(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def send_dripping(self) -> None:
        self._begin(200, ("Content-Length", "6000"))
        try:
            for _ in range(6000):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.01)
        except OSError:
            self.close_connection = True

    def send_cut_off(self) -> None:
        self._begin(200, ("Content-Length", "100"))
        self.wfile.write(b"only this")
        self.close_connection = True

    def send_large(self) -> None:
        self._begin(200, ("Content-Length", "2000"))
        self.wfile.write(b"x" * 2000)

    def send_error_page(self) -> None:
        self._begin(404, ("Content-Length", "4"))
        self.wfile.write(b"gone")

    def send_circle(self) -> None:
        self._begin(302, ("Location", "/circle"), ("Content-Length", "0"))

    def send_to_a_file(self) -> None:
        self._begin(302, ("Location", "file:///etc/passwd"), ("Content-Length", "0"))

    def send_authorization(self) -> None:
        content = (self.headers["Authorization"] or "none").encode()
        self._begin(200, ("Content-Length", str(len(content))))
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _private_embeds_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test server is on this machine."""
    monkeypatch.setenv("FIXIE_ALLOW_PRIVATE_EMBEDS", "1")


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@given(st.binary(), st.sampled_from(["text/plain", "image/png", "text/plain;charset=utf-8"]))
def test_content_that_was_set_comes_back_exactly_and_as_a_valid_data_uri(content: bytes, kind: str) -> None:
    embed = Embed(kind)
    embed.content = content
    assert embed.uri == f"data:{kind};base64,{base64.b64encode(content).decode()}"
    assert embed.content == content


def test_text_that_was_set_comes_back() -> None:
    embed = Embed(content_type="text/plain")
    embed.text = "héllo"
    assert (embed.text, embed.content) == ("héllo", "héllo".encode())


@pytest.mark.parametrize(
    ("uri", "content"),
    [
        ("data:base64,aGk=", b"hi"),  # as the original SDK wrote it
        ("data:;base64,aGk=", b"hi"),
        ("data:text/plain;charset=utf-8;base64,aGk=", b"hi"),
        ("DATA:text/plain;BASE64,aGk=", b"hi"),
        ("data:text/plain;base64,aG%0Ak%3D", b"hi"),
        ("data:text/plain,a%20b,c", b"a b,c"),
        ("data:,h%C3%A9", "hé".encode()),
        ("data:,", b""),
    ],
)
def test_every_data_uri_is_read(uri: str, content: bytes) -> None:
    assert Embed("text/plain", uri).content == content


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("", "no content yet"),
        ("data:text/plain;base64", "comma"),
        ("data:text/plain;base64,a*b", "cannot be decoded"),
        ("data:text/plain;base64,aGk", "cannot be decoded"),
        ("file:///etc/passwd", "must begin with http"),
        ("ftp://127.0.0.1/x", "must begin with http"),
        ("nonsense", "must begin with http"),
    ],
)
def test_a_uri_that_cannot_be_read_says_why(uri: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        _ = Embed("text/plain", uri).content


def test_a_content_type_is_required() -> None:
    with pytest.raises((TypeError, pydantic.ValidationError)):
        Embed()  # type: ignore[call-arg]


def test_requests_mock_answers_for_an_http_embed(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get("https://example.com/a.txt", text="over http")
    embed = Embed("text/plain", "https://example.com/a.txt")
    assert (embed.text, embed.content) == ("over http", b"over http")


def test_an_error_page_is_not_content(files: str) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        _ = Embed("text/plain", f"{files}/error_page").content


def test_a_body_that_was_cut_off_is_not_content(files: str) -> None:
    with pytest.raises(requests.ConnectionError, match="could not be read to its end"):
        _ = Embed("text/plain", f"{files}/cut_off").content


def test_a_body_over_the_limit_is_refused(files: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_connections, "MAXIMUM_BYTES", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        _ = Embed("text/plain", f"{files}/large").content


def test_a_server_that_drips_bytes_is_left_at_the_deadline(
    files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_connections, "_TOTAL_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(requests.Timeout):
        _ = Embed("text/plain", f"{files}/dripping").content
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("path", ["circle", "to_a_file"])
def test_redirects_end_and_stay_on_http(files: str, path: str) -> None:
    with pytest.raises(requests.RequestException):
        _ = Embed("text/plain", f"{files}/{path}").content


def test_credentials_of_this_machine_are_not_sent(
    files: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n", "ascii")
    monkeypatch.setenv("NETRC", str(netrc))
    assert Embed("text/plain", f"{files}/authorization").text == "none"
