import asyncio
import http.server
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import ClassVar

import aiohttp
import pytest
from clocks import Clock

from fixieai import errors
from fixieai.web.egress import (
    EgressPolicy,
    build_session,
    check_url,
    is_allowed,
    read_limited,
    upstream_errors,
)

PUBLIC = EgressPolicy()
LOCAL = EgressPolicy(allow_loopback=True)
PRIVATE = EgressPolicy(allow_loopback=True, allow_private=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    """An upstream that does what the path says."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []
    may_go_on: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        type(self).seen.append(self.path)
        getattr(self, "answer_" + self.path.strip("/").partition("/")[0])()

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_hello(self) -> None:
        self._answer(200, b"hello", Set_Cookie="a=b", Seen=str(self.headers.items()))

    def answer_port(self) -> None:
        self._answer(200, str(self.client_address[1]).encode())

    def answer_to(self) -> None:
        self._answer(302, b"", Location=self.path.removeprefix("/to/"))

    def answer_gzip(self) -> None:
        self._answer(200, b"\x1f\x8b", Content_Encoding="gzip")

    def answer_large(self) -> None:
        self._answer(200, b"a" * 2000)

    def answer_endless(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"64\r\n" + b"a" * 100 + b"\r\n")
                time.sleep(0.01)
        except OSError:
            self.close_connection = True

    def answer_broken(self) -> None:
        self._answer(200, b"half", Content_Length="100")
        self.close_connection = True

    def answer_slow(self) -> None:
        self.may_go_on.wait(30)
        self._answer(200, b"slow")

    def log_message(self, *_arguments: object) -> None:
        pass


class _QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """The port of a server on 127.0.0.1 with a mind of its own."""
    server = _QuietServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def open_session() -> AsyncIterator[Callable[..., aiohttp.ClientSession]]:
    sessions: list[aiohttp.ClientSession] = []

    def build(policy: EgressPolicy) -> aiohttp.ClientSession:
        sessions.append(build_session(policy))
        return sessions[-1]

    yield build
    for session in sessions:
        await session.close()


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"],
)
def test_public_addresses_are_reached_in_every_spelling(address: str) -> None:
    assert is_allowed(address, PUBLIC)


@pytest.mark.parametrize(
    ("addresses", "policies"),
    [
        (
            ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"],
            [LOCAL, PRIVATE],
        ),
        (["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1"], [PRIVATE]),
        (
            [
                "::ffff:10.0.0.1",
                "::ffff:0:192.168.0.1",
                "64:ff9b::10.0.0.1",
                "2002:a00:1::1",
                "::192.168.0.1",
            ],
            [PRIVATE],
        ),
        (["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "64:ff9b::", "2002::"], []),
        (["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254"], []),
        (["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"], []),
        (["192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"], []),
        (["224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "ff02::1"], []),
        (["2001:db8::1", "2001::1", "100::1", "fec0::1", "64:ff9b:1::1", "3fff::1", "5f00::1"], []),
        (["2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe"], []),
        (["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "017700000001"], []),
    ],
)
def test_other_addresses_are_reached_under_the_policies_that_say_so(
    addresses: list[str], policies: list[EgressPolicy]
) -> None:
    for address in addresses:
        allowed = [policy for policy in (PUBLIC, LOCAL, PRIVATE) if is_allowed(address, policy)]
        assert allowed == policies, address


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a?b=c#d",
        "http://127.0.0.1:8181",
        "http://[::1]:8181/",
        "http://example.com?b=@c",
        "https://example.com/@b#@c",
        "https://bücher.example/ä",
        "http://a" + "a" * 3000,
    ],
)
def test_plain_urls_are_parsed(url: str) -> None:
    assert check_url(url).scheme in ("http", "https")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "/path",
        "ftp://example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "unix:///run/x",
        "http://",
        "http:///path",
        "http://user@example.com",
        "http://user:pass@example.com",
        "http://@example.com",
        "http://example.com\\@evil.example",
        "http:\\\\example.com",
        "http://exa mple.com",
        " http://example.com",
        "http://example.com/\n",
        "http://example.com/\0",
        "http://example.com/\u2028",
        "http://example.com/\ud800",
        "http://example.com:0",
        "http://example.com:99999",
        "http://example.com:abc",
        "http://[::1",
        "http://[zz]/",
        "http://example.com/" + "a" * 5000,
    ],
)
def test_other_urls_are_refused_by_their_form(url: str) -> None:
    with pytest.raises(errors.UnprocessableContent):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "policy", "says"),
    [
        ("http://169.254.169.254/latest", PRIVATE, "169.254.169.254 is refused"),
        ("http://[::ffff:10.0.0.1]/", LOCAL, "FIXIE_ALLOW_PRIVATE_AGENTS=1"),
        ("http://example.com:22/", EgressPolicy(only_ordinary_ports=True), "Port 22"),
    ],
)
def test_a_policy_refuses_what_the_url_itself_shows(url: str, policy: EgressPolicy, says: str) -> None:
    with pytest.raises(errors.Forbidden, match=says):
        check_url(url, policy)


async def test_an_allowed_address_is_reached(upstream: int, open_session) -> None:
    session = open_session(LOCAL)
    for host in ("127.0.0.1", "localhost"):
        async with session.get(check_url(f"http://{host}:{upstream}/hello")) as response:
            assert await read_limited(response, 5, 1.0) == b"hello"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f.0.0.1"]
)
async def test_a_refused_address_is_never_connected_to(upstream: int, open_session, host: str) -> None:
    _Handler.seen.clear()
    with pytest.raises(errors.Forbidden, match=r"is refused.*FIXIE_ALLOW_PRIVATE_AGENTS=1"):
        await open_session(PUBLIC).get(f"http://{host}:{upstream}/hello")
    assert not _Handler.seen


async def test_a_name_with_one_refused_address_is_refused(
    open_session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rebinding(host: str, port: int, **_options: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in ("8.8.8.8", "10.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with pytest.raises(errors.Forbidden, match=r"10\.0\.0\.1"):
        await open_session(PUBLIC).get("http://rebinding.example/")


async def test_names_that_nobody_answers_for_take_no_threads_of_others(
    open_session, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def silent(*_place: object, **_options: object) -> list[object]:
        may_end.wait(60)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    session = open_session(PUBLIC)
    asking = [asyncio.ensure_future(session.get(f"http://silent{number}.example/")) for number in range(50)]
    for _ in range(100):
        await asyncio.sleep(0)  # until each is being looked up, or waits for that
    try:
        assert await asyncio.wait_for(asyncio.to_thread(len, "a thread"), 30) == 8
    finally:
        may_end.set()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_the_environment_names_no_proxy(
    upstream: int, open_session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with open_session(LOCAL).get(f"http://127.0.0.1:{upstream}/hello") as response:
        assert response.status == 200


async def test_a_connection_is_used_again_but_not_when_its_server_may_be_about_to_close_it(
    upstream: int, open_session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, clock = open_session(LOCAL), Clock()
    monkeypatch.setattr("aiohttp.connector.monotonic", clock)

    async def port_after(seconds: float) -> bytes:
        clock.now += seconds
        async with session.get(f"http://127.0.0.1:{upstream}/port") as response:
            return await response.read()

    first = await port_after(0)
    assert await port_after(3) == first
    assert await port_after(4.5) != first


async def test_cookies_are_not_kept(upstream: int, open_session) -> None:
    session = open_session(LOCAL)
    for _ in range(2):
        async with session.get(f"http://127.0.0.1:{upstream}/hello") as response:
            assert "Cookie" not in response.headers["Seen"].replace("Set-Cookie", "")


async def test_redirects_are_not_followed(upstream: int, open_session) -> None:
    session = open_session(LOCAL)
    url = f"http://127.0.0.1:{upstream}/to//hello"
    with pytest.raises(errors.UpstreamError, match="not followed"):
        await session.get(url)
    async with session.get(url, allow_redirects=False) as response:
        assert response.status == 302


async def test_each_redirect_is_checked_again(upstream: int, open_session) -> None:
    here = f"http://127.0.0.1:{upstream}"
    session = open_session(EgressPolicy(allow_loopback=True, maximum_redirects=3))
    async with session.get(f"{here}/to/{here}/to//hello") as response:
        assert await read_limited(response, 100, 1.0) == b"hello"
    with pytest.raises(errors.Forbidden, match=r"169\.254\.169\.254"):
        await session.get(f"{here}/to/http://169.254.169.254/latest")
    for place in ("file:///etc/passwd", "http://a:b@127.0.0.1/"):
        with pytest.raises((errors.UnprocessableContent, errors.UpstreamError)):
            await session.get(f"{here}/to/{place}")
    with pytest.raises(errors.UpstreamError, match="not followed"):
        await session.get(f"{here}/to/{here}/to/{here}/to/{here}/to//hello")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/large", "more than 1,000 bytes"),
        ("/endless", "more than 1,000 bytes"),
        ("/gzip", "compressed"),
        ("/broken", "not answer properly"),
    ],
)
async def test_an_answer_that_is_too_much_or_too_little_is_refused(
    upstream: int, open_session, path: str, says: str
) -> None:
    async with open_session(LOCAL).get(f"http://127.0.0.1:{upstream}{path}") as response:
        with pytest.raises(errors.UpstreamError, match=says):
            await read_limited(response, 1000, 5.0)


async def test_an_answer_that_takes_too_long_is_cut_off(upstream: int, open_session) -> None:
    async with open_session(LOCAL).get(f"http://127.0.0.1:{upstream}/endless") as response:
        with pytest.raises(errors.UpstreamError, match="not answer in time"):
            await read_limited(response, 1_000_000, 0.2)


async def test_what_goes_wrong_on_the_way_is_an_upstream_error(upstream: int, open_session) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with (
            pytest.raises(errors.UpstreamError, match="The page could not be reached"),
            upstream_errors("The page"),
        ):
            await open_session(LOCAL).get(f"http://127.0.0.1:{deaf.getsockname()[1]}/")
    with pytest.raises(errors.UpstreamError, match="could not be reached"), upstream_errors("The page"):
        await open_session(LOCAL).get("http://no-such-host.invalid/")
    hasty = EgressPolicy(allow_loopback=True, read_seconds=0.1)
    with pytest.raises(errors.UpstreamError, match="in time"), upstream_errors("The page"):
        await open_session(hasty).get(f"http://127.0.0.1:{upstream}/slow")


async def test_one_slow_host_takes_its_share_of_the_pool_and_no_more(upstream: int, open_session) -> None:
    policy = EgressPolicy(allow_loopback=True, connections_per_host=2, pool_seconds=0.2)
    session = open_session(policy)
    slow = [asyncio.create_task(session.get(f"http://127.0.0.1:{upstream}/slow")) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(errors.UpstreamError, match="in time"), upstream_errors("The agent"):
        await session.get(f"http://127.0.0.1:{upstream}/hello")
    async with session.get(f"http://localhost:{upstream}/hello") as response:
        assert response.status == 200
    _Handler.may_go_on.set()
    for task in slow:
        (await task).close()
    _Handler.may_go_on.clear()
