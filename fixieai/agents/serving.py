"""Serving an agent on this machine until it is stopped."""

import ipaddress

from starlette.types import ASGIApp

from fixieai.agents import http
from fixieai.web import guard, server

_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


def serve(agent: http.ServedAgent, handle: str | None, host: str, port: int) -> None:
    """Serves until SIGINT or SIGTERM, then lets requests in progress finish for 10 seconds.

    Args:
        handle: the name to show for the agent.
        host: the address to listen on; other machines reach it only when it is not a loopback address.

    Raises:
        ConfigurationError: the address cannot be listened on, or a setting cannot work.
    """
    app = guarded_app(agent, host)
    with server.bind(host, port) as sock:
        url = server.url_of(sock)
        server.run_foreground(
            app, sock, on_started=lambda: print(f"Serving {handle or 'the agent'} at {url}")
        )


def guarded_app(agent: http.ServedAgent, host: str) -> ASGIApp:
    """The application of an agent behind the guard, for a server that listens on `host`.

    On a loopback address it answers to the names of this machine only (DNS rebinding).

    Raises:
        ConfigurationError: FIXIE_FUNC_TIMEOUT is no number above 0.
    """
    settings = guard.GuardSettings(
        hosts=_LOCAL_NAMES if _is_loopback(host) else None,
        methods=frozenset({"GET", "HEAD", "POST"}),
        maximum_body_bytes=http.MAXIMUM_BODY_BYTES,
        render=http.render,
    )
    return guard.Guard(http.build_app(agent), settings)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
