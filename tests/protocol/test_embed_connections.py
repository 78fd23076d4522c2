"""Where embeds are fetched from: not from private networks, however the URL is dressed."""

import http.server
import socket
import threading
import urllib.parse
from collections.abc import Iterator

import pytest
import requests

from fixieai import constants
from fixieai.protocol import embed_connections
from fixieai.protocol.embeds import Embed


class _Server(http.server.ThreadingHTTPServer):
    paths: list[str]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        target = urllib.parse.unquote(self.path.partition("?to=")[2])
        self.send_response(302 if target else 200)
        if target:
            self.send_header("Location", target)
        self.send_header("Content-Length", "0" if target else "6")
        self.end_headers()
        if not target:
            self.wfile.write(b"secret")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.paths = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def fetch(url: str) -> bytes:
    return Embed("text/plain", url).content


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_not_asked_however_it_is_spelled(server: _Server, host: str) -> None:
    with pytest.raises(ValueError, match=r"is refused.*FIXIE_ALLOW_PRIVATE_EMBEDS=1"):
        fetch(f"http://{host}:{server.server_port}/")
    assert server.paths == []


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "http://10.0.0.1/", "https://192.168.1.1/", "http://[fd00:ec2::254]/"],
)
def test_private_and_metadata_addresses_are_refused(url: str) -> None:
    with pytest.raises(embed_connections.AddressRefused):
        fetch(url)


def test_metadata_stays_refused_where_private_networks_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIXIE_ALLOW_PRIVATE_EMBEDS", "1")
    with pytest.raises(embed_connections.AddressRefused):
        fetch("http://169.254.169.254/latest")


def test_private_networks_are_reached_when_that_is_set(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXIE_ALLOW_PRIVATE_EMBEDS", "1")
    assert fetch(f"http://localhost:{server.server_port}/") == b"secret"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_platform_of_this_agent_is_reached(
    server: _Server, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(constants, "FIXIE_API_URL", f"http://127.0.0.1:{server.server_port}")
    assert fetch(f"http://{host}:{server.server_port}/attachment/x") == b"secret"


def test_the_platform_of_this_agent_is_reached_where_others_reach_it_too(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXIE_PUBLIC_URL", f"http://127.0.0.1:{server.server_port}")
    assert fetch(f"http://127.0.0.1:{server.server_port}/attachment/x") == b"secret"


def test_a_redirect_from_the_platform_meets_the_same_check(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "FIXIE_API_URL", f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(embed_connections.AddressRefused):
        fetch(f"http://127.0.0.1:{server.server_port}/?to=http%3A//127.0.0.1%3A1/")
    assert len(server.paths) == 1


def test_a_name_that_resolves_to_another_address_a_moment_later_is_sent_nothing(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look is at a public address, the connection goes to this machine."""
    real = socket.getaddrinfo
    answers = iter(["93.184.215.14"])

    def resolve(host: str, *args: object, **options: object) -> object:
        return real(next(answers, "127.0.0.1") if host == "rebinding.example" else host, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(embed_connections.AddressRefused):
        fetch(f"http://rebinding.example:{server.server_port}/")
    assert server.paths == []


def test_a_name_that_does_not_resolve_is_a_connection_error() -> None:
    with pytest.raises(requests.ConnectionError):
        fetch("http://name.invalid/")
