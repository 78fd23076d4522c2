"""Where `Embed.content` may fetch from: the public internet, and the platform that gave out the embed.

An address is checked when its name was resolved, all of them, and again once connected, before anything
is sent: a name that resolves differently a moment later meets the same check. So does each redirect.
"""

import ipaddress
import os
import socket
import urllib.parse

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from fixieai import addresses, constants

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
