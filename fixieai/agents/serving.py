"""`agent.serve()`: an agent in the foreground, and on a laptop a platform for it.

Without FIXIE_API_URL the platform at the local address is used when there is one; else one is
brought up in this process. With FIXIE_API_URL the agent is served, and that is all.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pathlib
import socket
import sys
import threading
from typing import TYPE_CHECKING

import yaml
from starlette.types import ASGIApp

from fixieai import constants, credentials, errors
from fixieai.agents import http, local_platform, registration
from fixieai.agents.registration import Registrar, Renewal
from fixieai.web import guard, server

if TYPE_CHECKING:
    from fixieai.agents.agent_base import AgentBase

_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_FIRST_PORT = 8181
_PORTS_TRIED = 50
_SECONDS_BETWEEN_LOOKS = 3.0
_SECONDS_BETWEEN_RENEWALS = 5.0
_FEW_SHOT_MODEL = "few-shot"
# When the own platform has ended its queries nobody waits for this agent any more.
_OWN_PLATFORM_GONE = server.ServerSettings(grace_seconds=1)


def serve(agent: AgentBase, handle: str | None, host: str, port: int) -> None:
    """Serves until SIGINT or SIGTERM, then lets requests in progress finish for 10 seconds.

    Args:
        handle: the name on the platform; without one that of the agent.yaml beside the program, or
            the program's own.
        host: the address to listen on; other machines reach it only when it is not a loopback address.

    Raises:
        SystemExit: it cannot be served; the message says why and what to do.
    """
    try:
        if os.environ.get("FIXIE_API_URL"):
            _serve_alone(agent, handle or _program_handle(), host, port)
        else:
            _serve_locally(agent, handle or _program_handle(), host, port)
    except errors.FixieError as error:
        raise SystemExit(error.message) from None


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


def _serve_alone(agent: AgentBase, handle: str, host: str, port: int) -> None:
    app = guarded_app(agent, host)
    with server.bind(host, port) as sock:
        url = server.url_of(sock)
        text = (
            f"Serving the agent at {url}. Ctrl-C stops it.\nThe platform of FIXIE_API_URL is not told by "
            f"itself. Where it can reach this address: `fixie agent register {handle} {url}`"
        )
        server.run_foreground(app, sock, on_started=lambda: _say(text))


def _serve_locally(agent: AgentBase, handle: str, host: str, port: int) -> None:
    app = guarded_app(agent, host)
    with _bind(host, port) as sock, local_platform.running(constants.LOCAL_API_URL) as own:
        registrar = Registrar(constants.LOCAL_API_URL)
        user = registrar.user()
        place = _Place(registrar, user["username"], handle, server.url_of(sock))
        agent.pin(place.agent_id)

        def on_started() -> None:
            place.register()
            _say(_banner(agent, place, user["defaultModel"]))
            threading.Thread(target=place.keep_registered, daemon=True).start()

        def before_stop() -> None:
            place.unregister()  # nobody new is sent here; queries under way still need this agent
            if own is not None:
                own.stop()

        try:
            settings = server.ServerSettings() if own is None else _OWN_PLATFORM_GONE
            server.run_foreground(app, sock, settings, on_started=on_started, before_stop=before_stop)
        finally:
            place.unregister()


class _Place:
    """One agent at one address, and the platform that is to know of it."""

    def __init__(self, registrar: Registrar, username: str, handle: str, url: str) -> None:
        self.registrar = registrar
        self.username = username
        self.handle = handle
        self.url = url
        self._turn = threading.Lock()
        self._is_over = threading.Event()

    @property
    def agent_id(self) -> str:
        return f"{self.username}/{self.handle}"

    def register(self) -> None:
        """Not after `unregister`, which may come while the agent starts."""
        with self._turn:
            if not self._is_over.is_set():
                self._register()

    def chat_url(self) -> str:
        """Without a platform that gives codes, the page's bare address: it then asks for a key."""
        try:
            return self.registrar.chat_url(self.agent_id)
        except errors.FixieError:
            return f"{self.registrar.api_url}/agents/{self.agent_id}"

    def unregister(self) -> None:
        """For good. The platform may be gone already, which comes to the same."""
        self._is_over.set()
        with self._turn, contextlib.suppress(errors.FixieError):
            self.registrar.unregister(self.username, self.handle, self.url)

    def keep_registered(self) -> None:
        """Tells the platform again and again that the agent runs. Returns when it is to run no longer."""
        while not self._is_over.wait(_SECONDS_BETWEEN_RENEWALS):
            try:
                if self._renew() is Renewal.DELETED:
                    _say(f"The agent {self.agent_id} was deleted at the platform.")
                    return
            except errors.ServiceUnavailable:
                self._outlive_the_platform()
            except errors.FixieError:
                continue  # as with a key that is good no more: the next try may say otherwise

    def _renew(self) -> Renewal | None:
        with self._turn:
            if self._is_over.is_set():
                return None
            renewal = self.registrar.renew(self.username, self.handle, self.url)
            if renewal is Renewal.ENDED:  # this program was stopped for a while, as a laptop is
                self._register()
            return renewal

    def _register(self) -> None:
        self.registrar.register(self.username, self.handle, self.url)

    def _outlive_the_platform(self) -> None:
        """Registers again when a platform that went away is back."""
        api_url = self.registrar.api_url
        if self._is_over.is_set() or registration.status(api_url).is_platform:
            return
        _say(
            f"The platform at {api_url} is gone. This agent is still served at {self.url} and registers "
            "again when a platform is back: `fixie platform serve`."
        )
        while not registration.status(api_url).is_platform:
            if self._is_over.wait(_SECONDS_BETWEEN_LOOKS):
                return
        with self._turn, contextlib.suppress(errors.FixieError):
            if not self._is_over.is_set():
                self._register()
                _say(f"The platform at {api_url} is back, and knows this agent.")


def _bind(host: str, port: int) -> socket.socket:
    """The default port, or the next free one: with a second agent nobody has to think of a number."""
    if port != _FIRST_PORT:
        return server.bind(host, port)
    for candidate in range(port, port + _PORTS_TRIED):
        with contextlib.suppress(errors.ConfigurationError):
            sock = server.bind(host, candidate)
            if candidate != port:
                _say(f"Port {port} is taken; this agent is served on port {candidate}.")
            return sock
    return server.bind(host, port)


def _program_handle() -> str:
    program = pathlib.Path(sys.argv[0])
    with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
        described = yaml.safe_load((program.parent / "agent.yaml").read_text("utf-8"))
        if isinstance(described, dict) and isinstance(described.get("handle"), str):
            return str(described["handle"])
    return program.stem or "agent"


def _banner(agent: AgentBase, place: _Place, default_model: str) -> str:
    settings = getattr(agent, "llm_settings", None)
    model = (settings and settings.model) or default_model
    if model == _FEW_SHOT_MODEL:
        model += " (offline: answers from the agent's examples; set OPENAI_API_KEY for a language model)"
    return (
        f"Agent     {place.agent_id} at {place.url}\n"
        f"Platform  {place.registrar.api_url}, data in {credentials.home_path()}\n"
        f"Model     {model}\n"
        f'Ask it    fixie query -a {place.handle} "...", or fixie console -a {place.handle}\n'
        f"Chat      {place.chat_url()}\n"
        "Ctrl-C stops it."
    )


def _say(text: str) -> None:
    print(text, flush=True)
