"""`fixie serve`: the agent of a folder, served for as long as the command runs, reloaded when it changes."""

import os
import pathlib
import socket
import sys
import time

import click

from fixieai import errors
from fixieai.cli import exits, output, processes
from fixieai.cli.agent import agent_config, env_file, init
from fixieai.cli.agent.agent_config import AgentConfig
from fixieai.cli.agent.served_agent import ServedAgent, Source
from fixieai.cli.agent.source_watch import SourceWatch
from fixieai.cli.platform import child_platform
from fixieai.client.client import FixieClient
from fixieai.web import server

_DEFAULT_PORT = 8181
_LOOK_SECONDS = 0.4
# A large folder takes long to look through: looking must not become what the machine does.
_LOOK_SHARE = 0.05


@click.command("serve", short_help="Serve the current agent locally.")
@click.argument("path", required=False)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="[default: 8181, or a free one when that is taken]"
)
@click.option("--tunnel/--no-tunnel", default=None, help="Accepted for old scripts: no tunnel is opened.")
@click.option(
    "--reload/--no-reload", default=True, show_default=True, help="Reload when a *.py file changes."
)
@click.option(
    "--venv/--no-venv", default=False, help="Accepted for old scripts: no virtual environment is made."
)
def serve_agent(
    path: str | None, host: str, port: int | None, tunnel: bool | None, reload: bool, venv: bool
) -> int:
    """Serves the agent in PATH (a folder, default this one, or its agent.yaml) until Ctrl-C.

    Registers it with the platform that FIXIE_API_URL names, or with the one on this machine, which is
    started when none is running. Variables in the folder's `.env` are set.
    """
    if tunnel:
        click.echo("No public tunnel is opened: the agent is reached on this machine only.", err=True)
    if venv:
        click.echo(
            "The agent runs in the Python environment of this command: install in it what it needs.", err=True
        )
    file = agent_config.path_of(path)
    config = _config(file)
    variables = {**env_file.read(file.parent), **os.environ}
    with (
        processes.stopped_by_signals(),
        _listen(host, port) as listening,
        child_platform.found_or_started(variables) as address,
    ):
        client = FixieClient(variables.get("FIXIE_API_KEY"), api_url=address)
        source = Source(file.resolve(), config, variables)
        with ServedAgent(client, source, listening) as agent:
            return _watch(agent, file.parent) if reload else _stay(agent)
    return 0


def _config(file: pathlib.Path) -> AgentConfig:
    try:
        return agent_config.load(file)
    except FileNotFoundError:
        if sys.stdin.isatty() and click.confirm(f"There is no {file}. Create an agent there?", default=True):
            return init.create(file, {})
        raise click.UsageError(f"there is no {file}: `fixie init` creates one") from None


def _listen(host: str, port: int | None) -> socket.socket:
    if port is not None:
        return server.bind(host, port)
    try:
        return server.bind(host, _DEFAULT_PORT)
    except errors.ConfigurationError:
        return server.bind(host, 0)


def _announce(agent: ServedAgent) -> bool:
    """Registers the agent and says so; False, and why, when it cannot be."""
    try:
        agent.register()
    except (errors.UpstreamError, errors.BadRequest) as error:
        click.echo(f"Error: {error}", err=True)
        return False
    click.echo(f"{agent.agent_id} is served at {agent.url}")
    sample = agent.sample_query()
    if sample:
        output.hint(f'Try: fixie query -a {agent.agent_id.partition("/")[2]} "{sample}"')
    if agent.registrations == 1:
        output.hint(f"Chat: {agent.chat_page()}")
    return True


def _stay(agent: ServedAgent) -> int:
    if not _announce(agent):
        return exits.FAILED
    while agent.exit_code is None:
        time.sleep(_LOOK_SECONDS)
    click.echo(f"Error: {agent.agent_id} ended with exit code {agent.exit_code}.", err=True)
    return exits.FAILED


def _watch(agent: ServedAgent, folder: pathlib.Path) -> int:
    """Serves, and begins again with new code at each change. A process that ended waits for the next."""
    watch = SourceWatch(folder)
    is_running = _announce(agent)
    while True:
        if not is_running:
            click.echo("Waiting for a change.", err=True)
        changed = _next_change(agent, watch, is_running)
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
        if changed or (is_running and agent.exit_code is not None):
            return changed
        time.sleep(max(_LOOK_SECONDS, (time.monotonic() - before) / _LOOK_SHARE))
