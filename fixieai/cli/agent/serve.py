"""`fixie serve`: the agent of a folder, served for as long as the command runs, reloaded when it changes."""

import contextlib
import os
import pathlib
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator

import click

from fixieai import credentials, errors
from fixieai.cli import exits, output, processes
from fixieai.cli.agent import agent_config, env_file, init, loader, local_venv
from fixieai.cli.agent.served_agent import ServedAgent, Source
from fixieai.cli.agent.source_watch import SourceWatch
from fixieai.cli.agent.tunnel import Tunnel
from fixieai.cli.platform import child_platform
from fixieai.client.client import FixieClient
from fixieai.web import server

_DEFAULT_PORT = 8181
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TUNNEL_SECONDS = 30.0
_LOOK_SECONDS = 0.4
# A large folder takes long to look through: looking must not become what the machine does.
_LOOK_SHARE = 0.05


@click.command("serve", short_help="Serve the current agent locally.")
@click.argument("path", required=False)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="[default: 8181, or a free one when that is taken]"
)
@click.option(
    "--tunnel/--no-tunnel",
    default=None,
    help="Open a public address for the agent, by ssh to localhost.run.  [default: only for a platform that "
    "is not on this machine]",
)
@click.option(
    "--reload/--no-reload", default=True, show_default=True, help="Reload when a *.py file changes."
)
@click.option(
    "--venv/--no-venv",
    default=False,
    show_default=True,
    help="Install what requirements.txt names in a virtual environment of its own, and run the agent there.",
)
def serve_agent(
    path: str | None, host: str, port: int | None, tunnel: bool | None, reload: bool, venv: bool
) -> int:
    """Serves the agent in PATH (a folder, default this one, or its agent.yaml) until Ctrl-C.

    Registers it with the platform that FIXIE_API_URL names, or with the one on this machine, which is
    started when none is running. Variables in the folder's `.env` are set. What was current before is so
    again when the command ends, however it ends.
    """
    file = agent_config.path_of(path)
    config = init.load_or_create(file)
    variables = {**env_file.read(file.parent), **os.environ}
    with (
        processes.stopped_by_signals(),
        _listen(host, port) as listening,
        child_platform.found_or_started(variables) as address,
    ):
        client = FixieClient(variables.get("FIXIE_API_KEY"), api_url=address)
        python = local_venv.python_of(file.parent) if venv else sys.executable
        source = Source(file.resolve(), config, variables, python)
        has_tunnel = _needs_tunnel(address, host) if tunnel is None else tunnel
        callers_of = loader.ANY_HOST if has_tunnel else None
        with (
            ServedAgent(client, source, listening, callers_of=callers_of) as agent,
            contextlib.ExitStack() as stack,
        ):
            if has_tunnel:
                stack.enter_context(_tunnelled(agent, listening))
            return _watch(agent, file.parent) if reload else _stay(agent)
    return 0


def _listen(host: str, port: int | None) -> socket.socket:
    if port is not None:
        return server.bind(host, port)
    try:
        return server.bind(host, _DEFAULT_PORT)
    except errors.ConfigurationError:
        return server.bind(host, 0)


def _needs_tunnel(platform: str, host: str) -> bool:
    """Whether nobody but this machine can reach what is served, and the platform is another."""
    return host in _LOOPBACK and not credentials.is_local(platform)


@contextlib.contextmanager
def _tunnelled(agent: ServedAgent, listening: socket.socket) -> Iterator[None]:
    """The agent is where the tunnel's first address says, and moves with each further one."""
    with Tunnel(listening.getsockname()[1]) as tunnel:
        addresses: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_read, args=(tunnel, addresses), daemon=True).start()
        click.echo("Opening a public address at localhost.run ...", err=True)
        try:
            agent.url = addresses.get(timeout=_TUNNEL_SECONDS)
        except queue.Empty:
            raise errors.ServiceUnavailable(
                f"No tunnel was opened within {_TUNNEL_SECONDS:g} seconds. --no-tunnel serves without one."
            ) from None
        threading.Thread(target=_follow, args=(agent, addresses), daemon=True).start()
        yield


def _read(tunnel: Tunnel, addresses: "queue.Queue[str]") -> None:
    for address in tunnel:
        addresses.put(address)


def _follow(agent: ServedAgent, addresses: "queue.Queue[str]") -> None:
    while True:
        address = addresses.get()
        while address != agent.url and addresses.empty():
            with contextlib.suppress(errors.FixieError):  # not yet: until there is a newer one
                agent.move(address)
                click.echo(f"{agent.agent_id} is served at {address} now.")


def _announce(agent: ServedAgent) -> bool:
    """Registers the agent and says so; False, and why, when it cannot be."""
    try:
        agent.register()
    except (errors.UpstreamError, errors.BadRequest) as error:
        click.echo(f"Error: {error}", err=True)
        return False
    click.echo(f"{agent.agent_id} is served at {agent.url}")
    with contextlib.suppress(errors.FixieError):  # the platform may be gone by now; it will be back
        sample = agent.sample_query()
        if sample:
            output.hint(f"Try: {sample}")
        if agent.registrations == 1:
            output.hint(f"Chat: {agent.chat_page()}")
    return True


def _stay(agent: ServedAgent) -> int:
    if not _announce(agent):
        return exits.FAILED
    while agent.exit_code is None and agent.problem is None:
        time.sleep(_LOOK_SECONDS)
    reason = agent.problem or f"{agent.agent_id} ended with exit code {agent.exit_code}."
    click.echo(f"Error: {reason}", err=True)
    return exits.FAILED


def _watch(agent: ServedAgent, folder: pathlib.Path) -> int:
    """Serves, and begins again with new code at each change. A process that ended waits for the next."""
    watch = SourceWatch(folder)
    is_running = _announce(agent)
    while True:
        if not is_running:
            click.echo("Waiting for a change.", err=True)
        changed = _next_change(agent, watch, is_running)
        if agent.problem:
            click.echo(f"Error: {agent.problem}", err=True)
            return exits.FAILED
        click.echo(
            f"Reloading: {', '.join(changed)} changed" if changed else "The agent's process ended.", err=True
        )
        if changed:
            agent.stop()
            agent.start()
        is_running = bool(changed) and _announce(agent)


def _next_change(agent: ServedAgent, watch: SourceWatch, is_running: bool) -> list[str]:
    """The files that changed. None: the process, which was running, has ended."""
    while True:
        before = time.monotonic()
        changed = watch.changed()
        if changed or agent.problem or (is_running and agent.exit_code is not None):
            return changed
        time.sleep(max(_LOOK_SECONDS, (time.monotonic() - before) / _LOOK_SHARE))
