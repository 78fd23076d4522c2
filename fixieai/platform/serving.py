"""Running a platform: alone in the foreground, or beside an agent in a thread."""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import socket
from collections.abc import Callable, Iterator

from fixieai import constants, credentials
from fixieai.platform import addresses, local_user, private_files, settings
from fixieai.platform.app import build_app, open_platform
from fixieai.platform.endpoints import probes
from fixieai.platform.settings import Settings
from fixieai.web import server


@dataclasses.dataclass(frozen=True, slots=True)
class Reached:
    """A platform of this machine, and the key of its local user, who administrates it."""

    url: str
    api_key: str = dataclasses.field(repr=False)


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
    serving = server.ServerSettings(drain_seconds=chosen.drain_seconds, probes=frozenset({probes.READY}))
    server.run_foreground(build_app(chosen), sock, serving, on_started=lambda: on_ready(url))


@contextlib.contextmanager
def reached(home: pathlib.Path) -> Iterator[Reached]:
    """The platform of a home: the one that runs, or one that runs until the block ends.

    Raises:
        ConfigurationError: it cannot start; the message says why and what to do.
        Conflict: one is there that does not answer.
    """
    url = addresses.of_running(home)
    if url is not None:
        yield Reached(url, local_key(home))
        return
    chosen = settings.from_environment(os.environ, home, port=0)
    # Links that it gives out are for the platform that will run here.
    url = chosen.public_url or constants.LOCAL_API_URL
    later = dataclasses.replace(chosen, public_url=url, takes_up_work=False)
    with background(later) as running:
        yield Reached(running.url, local_key(home))


def local_key(home: pathlib.Path | None = None) -> str:
    """The local user's API key, of a platform that runs or is yet to run.

    Raises:
        ConfigurationError: the home cannot be used.
    """
    chosen = settings.from_environment(os.environ, home)
    stored = private_files.read(chosen.home / credentials.LOCAL_KEY_FILE)
    return stored.strip() if stored else asyncio.run(_make_key(chosen))


async def _make_key(chosen: Settings) -> str:
    async with open_platform(dataclasses.replace(chosen, takes_up_work=False)) as platform:
        return await local_user.ensure_key(chosen.home, platform.auth)


def _bound(chosen: Settings) -> tuple[Settings, socket.socket]:
    sock = server.bind(chosen.host, chosen.port)
    return dataclasses.replace(chosen, port=sock.getsockname()[1]), sock
