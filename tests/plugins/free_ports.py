"""Ports for servers that are started later, or stopped and started again."""

import itertools
import os
import pathlib
import socket

_HOST = "127.0.0.1"
_CANDIDATES = range(10_000, 30_000)
_EPHEMERAL = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """One that the system gives to nobody by itself, and this function to nobody else.

    It stays free while its server is not running. The claim is a datagram socket of the same number,
    which other test processes see, and which ends with this one.
    """
    ports = _ports()
    first = os.getpid() * 101 % len(ports)
    for port in itertools.chain(ports[first:], ports[:first]):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((_HOST, port))
            with socket.socket() as probe:
                probe.bind((_HOST, port))
        except OSError:
            claim.close()
        else:
            claim.detach()  # open, with nobody to close it
            return port
    raise RuntimeError("no port is free")


def _ports() -> list[int]:
    if not _EPHEMERAL.exists():
        return list(_CANDIDATES)
    low, high = (int(number) for number in _EPHEMERAL.read_text("ascii").split())
    return [port for port in _CANDIDATES if not low <= port <= high] or list(_CANDIDATES)
