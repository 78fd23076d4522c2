"""Running a platform: alone in the foreground, or beside an agent in a thread."""

import asyncio
import dataclasses
import os
import pathlib
import socket
from collections.abc import Callable

from fixieai import credentials
from fixieai.platform import local_user, private_files, settings
from fixieai.platform.app import build_app, open_platform
from fixieai.platform.settings import Settings
from fixieai.web import server


def background(chosen: Settings) -> server.BackgroundServer:
    """A platform that is not yet started, on a thread of its own.

    Raises:
        ConfigurationError: the port is taken.
    """
    chosen, sock = _bound(chosen)
    return server.BackgroundServer(build_app(chosen), sock)


def embedded() -> server.BackgroundServer:
    """A platform for the agent that this process serves, as the environment has it.

    Raises:
        ConfigurationError: the port is taken, or a variable cannot be read.
    """
    return background(settings.from_environment(os.environ))


def serve(host: str, port: int, home: pathlib.Path | None, on_ready: Callable[[str], None]) -> None:
    """Runs a platform until SIGINT or SIGTERM; `on_ready` gets its URL once it answers.

    Raises:
        ConfigurationError: it cannot start; the message says why and what to do.
        Conflict: another platform is using the home.
    """
    chosen, sock = _bound(settings.from_environment(os.environ, home, host, port))
    url = server.url_of(sock)
    server.run_foreground(build_app(chosen), sock, on_started=lambda: on_ready(url))


def local_key(home: pathlib.Path | None = None) -> str:
    """The local user's API key, of a platform that runs or is yet to run.

    Raises:
        ConfigurationError: the home cannot be used.
    """
    chosen = settings.from_environment(os.environ, home)
    stored = private_files.read(chosen.home / credentials.LOCAL_KEY_FILE)
    return stored.strip() if stored else asyncio.run(_make_key(chosen))


async def _make_key(chosen: Settings) -> str:
    async with open_platform(chosen) as platform:
        return await local_user.ensure_key(chosen.home, platform.auth)


def _bound(chosen: Settings) -> tuple[Settings, socket.socket]:
    sock = server.bind(chosen.host, chosen.port)
    return dataclasses.replace(chosen, port=sock.getsockname()[1]), sock
