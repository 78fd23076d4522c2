"""The way out: HTTP to addresses that somebody else chose (agents, embeds, corpora, token URLs).

An address is checked where it is known for certain: when its name was resolved, all of them, and
again for the very socket that connects. A name that resolves differently a moment later, an
odd spelling of an address, a redirect: each meets the same check.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import ipaddress
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

from fixieai import addresses, errors
from fixieai.addresses import Address

_MAXIMUM_URL_LENGTH = 4096
_END_OF_AUTHORITY = re.compile("[/?#]")
_ORDINARY_PORTS = frozenset({80, 443})
_LOOKUPS_AT_ONCE = 32
# Node's and uvicorn's servers close a connection that is idle for 5 seconds, and so do those of models.
# Whoever uses it that very moment gets no answer, and cannot ask again when it was no GET: so it is us
# who close.
KEEP_ALIVE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Where one kind of outgoing request may go, and how long it may take (None: no limit).

    Attributes:
        allow_private: private networks (10/8, 192.168/16, fc00::/7, ...) too. Link-local and
            metadata addresses stay refused.
        only_ordinary_ports: 80 and 443 only.
        setting: what to set to allow a refused address, for the message.
        maximum_redirects: followed where the caller leaves `allow_redirects` on; each hop is checked.
        connections_per_host: a slow host takes this many of the pool and no more.
        pool_seconds: for a place in the pool and the connection together.
        read_seconds: between two pieces of an answer.
    """

    allow_loopback: bool = False
    allow_private: bool = False
    only_ordinary_ports: bool = False
    setting: str = "FIXIE_ALLOW_PRIVATE_AGENTS=1"
    maximum_redirects: int = 0
    connections: int = 200
    connections_per_host: int = 20
    connect_seconds: float = 5.0
    pool_seconds: float | None = 10.0
    read_seconds: float | None = 10.0
    total_seconds: float | None = 30.0


def check_url(url: str, policy: EgressPolicy | None = None) -> yarl.URL:
    """`url`, parsed once, for the session to use as it is.

    With a policy an address written in the URL is checked as well; every address is, when connecting.

    Raises:
        UnprocessableContent: it is not a plain http or https URL.
        Forbidden: the policy does not allow its address or port.
    """
    if len(url) > _MAXIMUM_URL_LENGTH:
        raise errors.UnprocessableContent(f"The URL is longer than {_MAXIMUM_URL_LENGTH} characters.")
    if not url.isprintable() or " " in url or "\\" in url:
        raise errors.UnprocessableContent("The URL holds spaces, control characters or backslashes.")
    if "@" in _END_OF_AUTHORITY.split(url.partition("://")[2], 1)[0]:
        raise errors.UnprocessableContent("Credentials do not belong into a URL.")
    try:
        parsed = yarl.URL(url)
        _check_parts(parsed)
    except ValueError:
        raise errors.UnprocessableContent("The URL cannot be read.") from None
    if policy is not None:
        _check_place(parsed, policy)
    return parsed


def _check_parts(url: yarl.URL) -> None:
    if url.scheme not in ("http", "https"):
        raise errors.UnprocessableContent("The URL must begin with http:// or https://.")
    if not url.raw_host:
        raise errors.UnprocessableContent("The URL names no host.")
    if url.port == 0:
        raise errors.UnprocessableContent("The URL's port is 0.")


def _check_place(url: yarl.URL, policy: EgressPolicy) -> None:
    if policy.only_ordinary_ports and url.port not in _ORDINARY_PORTS:
        raise errors.Forbidden(f"Port {url.port} is not allowed; 80 and 443 are.")
    try:
        address = ipaddress.ip_address(url.raw_host or "")
    except ValueError:
        return  # a name: checked once it is resolved
    _check_address(address, policy)


def is_allowed(address: str, policy: EgressPolicy) -> bool:
    """Whether the policy lets requests reach an IP address. Anything else is not allowed."""
    try:
        return _is_allowed(ipaddress.ip_address(address), policy)
    except ValueError:
        return False


def _is_allowed(address: Address, policy: EgressPolicy) -> bool:
    return addresses.is_reachable(
        address, allow_loopback=policy.allow_loopback, allow_private=policy.allow_private
    )


def _check_address(address: Address, policy: EgressPolicy) -> None:
    if not _is_allowed(address, policy):
        raise errors.Forbidden(
            f"The address {address} is refused: it is not on the public internet. "
            f"If it should be reached, set {policy.setting}."
        )


class _CheckedResolver(AbstractResolver):
    """Resolves through the operating system and refuses a name if any of its addresses is refused."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._resolver = aiohttp.ThreadedResolver(cast("asyncio.AbstractEventLoop", _Lookups()))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            _check_address(ipaddress.ip_address(result["host"]), self._policy)
        return found

    async def close(self) -> None:
        await self._resolver.close()


class _Lookups:
    """What `ThreadedResolver` takes of an event loop, on threads of their own.

    A name whose servers do not answer holds one for half a minute, whoever waits for it. A few such names
    would take all threads of the event loop, which everything else needs too.
    """

    def __init__(self) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(_LOOKUPS_AT_ONCE, "lookup")

    async def getaddrinfo(self, host: str, port: int, **options: int) -> list[Any]:
        look_up = functools.partial(socket.getaddrinfo, host, port, **options)
        return await asyncio.get_running_loop().run_in_executor(self._threads, look_up)

    async def getnameinfo(self, address: tuple[Any, ...], flags: int) -> tuple[str, str]:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, socket.getnameinfo, address, flags
        )


def build_session(policy: EgressPolicy, headers: Mapping[str, str] | None = None) -> aiohttp.ClientSession:
    """A pool of connections that go only where the policy allows. Call it inside the event loop.

    Requests raise `Forbidden` for a refused address or redirect, and aiohttp's errors otherwise
    (`upstream_errors` turns these into ours). No proxy or netrc from the environment, no cookies, no
    compressed answers, and no redirects unless the policy says how many.
    """

    def open_socket(address_info: tuple[int, int, int, str, tuple[str, int]]) -> socket.socket:
        family, kind, protocol, _, place = address_info
        _check_address(ipaddress.ip_address(place[0]), policy)
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        resolver=_CheckedResolver(policy),
        socket_factory=open_socket,
        limit=policy.connections,
        limit_per_host=policy.connections_per_host,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
    )
    timeout = aiohttp.ClientTimeout(
        total=policy.total_seconds,
        connect=policy.pool_seconds,
        sock_connect=policy.connect_seconds,
        sock_read=policy.read_seconds,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers={"Accept-Encoding": "identity", **(headers or {})},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[_redirect_check(policy)],
    )


def _redirect_check(policy: EgressPolicy) -> aiohttp.TraceConfig:
    async def on_redirect(
        _session: aiohttp.ClientSession, context: SimpleNamespace, found: aiohttp.TraceRequestRedirectParams
    ) -> None:
        context.redirects = getattr(context, "redirects", 0) + 1
        try:
            _check_redirect(found.response, context.redirects, policy)
        except errors.FixieError:
            found.response.close()
            raise

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(on_redirect)
    return config


def _check_redirect(response: aiohttp.ClientResponse, count: int, policy: EgressPolicy) -> None:
    if count > policy.maximum_redirects:
        raise errors.UpstreamError(f"{response.url.host} answered with a redirect, which is not followed.")
    location = response.headers.get("Location") or response.headers.get("URI") or ""
    try:
        target = response.url.join(yarl.URL(location))
    except ValueError:
        raise errors.UpstreamError(f"{response.url.host} answered with an unreadable redirect.") from None
    check_url(str(target), policy)


@contextlib.contextmanager
def upstream_errors(what: str) -> Iterator[None]:
    """Turns what aiohttp raises about `what` ("The page", ...) into `UpstreamError`."""
    try:
        yield
    except TimeoutError as error:
        raise errors.UpstreamError(f"{what} did not answer in time.") from error
    except aiohttp.ClientConnectorError as error:
        raise errors.UpstreamError(f"{what} could not be reached.") from error
    except aiohttp.ClientError as error:
        raise errors.UpstreamError(f"{what} did not answer properly.") from error


async def read_limited(response: aiohttp.ClientResponse, maximum_bytes: int, seconds: float) -> bytes:
    """The whole body, read in at most `seconds`. A body that is refused closes its connection.

    Raises:
        UpstreamError: it is larger, slower, compressed, or breaks off.
    """
    try:
        with upstream_errors(str(response.url.host)):
            async with asyncio.timeout(seconds):
                return await _read(response, maximum_bytes)
    except errors.UpstreamError:
        response.close()
        raise


async def _read(response: aiohttp.ClientResponse, maximum_bytes: int) -> bytes:
    too_large = errors.UpstreamError(f"{response.url.host} answered with more than {maximum_bytes:,} bytes.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.UpstreamError(f"{response.url.host} answered with compressed content, unasked.")
    if (response.content_length or 0) > maximum_bytes:
        raise too_large
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > maximum_bytes:
            raise too_large
    return bytes(body)
