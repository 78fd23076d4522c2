"""How `Embed.content` fetches, and where from: the public internet, and the platform that gave out the embed.

An address is checked when its name was resolved, all of them, and again once connected, before anything
is sent: a name that resolves differently a moment later meets the same check. So does each redirect.
"""

import ipaddress
import os
import socket
import time
import urllib.parse

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from fixieai import addresses, constants

MAXIMUM_BYTES = 32 * 1024 * 1024
_CONNECT_AND_READ_SECONDS = (5, 10)
_TOTAL_SECONDS = 30
_MAXIMUM_REDIRECTS = 3
_CHUNK_BYTES = 64 * 1024
_VARIABLE = "FIXIE_ALLOW_PRIVATE_EMBEDS"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ORDINARY_PORTS = {"http": 80, "https": 443}

_Place = tuple[str, int]
_platforms: set[_Place] = set()


class AddressRefused(ValueError):
    """An embed's URL leads to an address that is not on the public internet."""


def trust_platform(url: str) -> None:
    """Embeds are fetched from this platform too, wherever it is, as from the one of FIXIE_API_URL."""
    _platforms.add(_place(url))


def fetch(uri: str) -> bytes:
    """The bytes at an http or https URL. Raises as `Embed.content` does."""
    if urllib.parse.urlsplit(uri).scheme not in ("http", "https"):
        raise ValueError("an embed's uri must begin with http:, https: or data:")
    deadline = time.monotonic() + _TOTAL_SECONDS
    with (
        open_session(_MAXIMUM_REDIRECTS) as session,
        session.get(uri, timeout=_CONNECT_AND_READ_SECONDS, stream=True) as response,
    ):
        response.raise_for_status()
        return read_at_most(response, MAXIMUM_BYTES, deadline)


def read_at_most(response: requests.Response, maximum_bytes: int, deadline: float) -> bytes:
    """The body of a response that was requested with `stream=True`, within limits.

    `deadline` is a moment of `time.monotonic()`. It is looked at whenever something arrives:
    `iter_content` and `content` return to us only after a whole chunk, so that a server
    sending a byte now and then would hold us for hours.

    Raises:
        ValueError: there is more than `maximum_bytes`.
        requests.RequestException: the deadline has passed, or the connection broke off.
    """
    content = bytearray()
    try:
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            content += chunk
            if len(content) > maximum_bytes:
                raise ValueError(f"the answer holds more than {maximum_bytes} bytes")
            if time.monotonic() > deadline:
                raise requests.Timeout("the answer took too long to arrive")
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(f"the answer could not be read to its end: {error}") from error
    return bytes(content)


def open_session(maximum_redirects: int) -> requests.Session:
    """Somebody else chose the URLs: they get no proxy and no credentials (.netrc) of this machine.

    Requests raise AddressRefused (and what requests raises).
    """
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = maximum_redirects
    for scheme in _ORDINARY_PORTS:
        session.mount(f"{scheme}://", _CheckedAdapter())
    return session


def _place(url: str) -> _Place:
    parts = urllib.parse.urlsplit(url)
    return _normal(parts.hostname or "", parts.port or _ORDINARY_PORTS.get(parts.scheme, 0))


def _trusted() -> set[_Place]:
    """The agent's own platform, by both of its names."""
    public_url = os.environ.get("FIXIE_PUBLIC_URL")
    return {_place(constants.FIXIE_API_URL), *_platforms, *([_place(public_url)] if public_url else [])}


def _normal(host: str, port: int) -> _Place:
    """However a platform on this machine is spelled, it is the same one."""
    return ("localhost" if host in _LOOPBACK else host.lower().rstrip("."), port)


class _Checked(HTTPConnection):
    """A connection that is made only where embeds may come from."""

    def _new_conn(self) -> socket.socket:
        host = self.host.strip("[]")
        if _normal(host, self.port) in _trusted():
            return super()._new_conn()
        for *_, place in socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM):
            _check(str(place[0]))
        connected = super()._new_conn()
        try:
            _check(connected.getpeername()[0])
        except BaseException:
            connected.close()
            raise
        return connected


class _CheckedTls(_Checked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTls


class _CheckedAdapter(HTTPAdapter):
    def __init__(self) -> None:
        super().__init__()
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _check(address: str) -> None:
    is_private_allowed = os.environ.get(_VARIABLE) == "1"
    without_zone = ipaddress.ip_address(address.partition("%")[0])
    if not addresses.is_reachable(
        without_zone, allow_loopback=is_private_allowed, allow_private=is_private_allowed
    ):
        raise AddressRefused(
            f"the address {address} is refused: it is not on the public internet. If embeds should be "
            f"fetched from private networks, set {_VARIABLE}=1."
        )
