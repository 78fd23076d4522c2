"""`fixie demo`: a platform and two agents, for as long as the command runs."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import IO

import click

from fixieai import credentials, errors
from fixieai.cli import exits, output, processes
from fixieai.cli.agent import templates
from fixieai.cli.agent.served_agent import ServedAgent, Source
from fixieai.cli.platform import child_platform
from fixieai.cli.session import answers, converse
from fixieai.client.client import FixieClient
from fixieai.web import server

_QUESTION = "Attack the troll with a d12"
_AGENTS = {"dice": templates.DICE, "game_master": templates.GAME_MASTER}
_OURS = ("FIXIE_API_URL", "FIXIE_API_KEY", "FIXIE_CONFIG_PATH", "FIXIE_ALLOWED_AGENT_ID")
_LOG_TAIL = 4_000


@click.command(short_help="Shows two agents at work, with nothing set up and nothing kept.")
@click.option("--once", is_flag=True, help="Answer one query and end.")
def demo(once: bool) -> int:
    """Starts a platform and two agents that ask each other, answers a query, and goes on as a console.

    Nothing is set up before and nothing is left behind: all of it is in a temporary folder.
    """
    with processes.stopped_by_signals(), _running() as client:
        session = client.create_session(f"{client.get_current_username()}/game_master")
        output.hint("Two agents are running: game_master tells a story, and asks dice for its rolls.")
        click.secho(f"> {_QUESTION}", bold=True)
        succeeded = answers.show_query(
            session, _QUESTION, answers.Style(aside_err=False, growing=output.is_terminal())
        )
        if not succeeded or once:
            return 0 if succeeded else exits.FAILED
        return converse.converse(client, client.create_session(), None, verbose=False, is_remembered=False)
    return 0


@contextlib.contextmanager
def _running() -> Iterator[FixieClient]:
    with tempfile.TemporaryDirectory(prefix="fixie-demo-") as folder, contextlib.ExitStack() as stack:
        place = pathlib.Path(folder)
        log = stack.enter_context((place / "log").open("wb"))
        try:
            yield _start(place, log, stack)
        except errors.FixieError:
            output.say((place / "log").read_text("utf-8", "replace")[-_LOG_TAIL:], err=True)
            raise


def _start(place: pathlib.Path, log: IO[bytes], stack: contextlib.ExitStack) -> FixieClient:
    home = place / "home"
    variables = processes.environment(FIXIE_HOME=str(home), **dict.fromkeys(_OURS))
    address = stack.enter_context(child_platform.started(variables, "--port", "0", log=log))
    client = FixieClient((home / credentials.LOCAL_KEY_FILE).read_text("ascii"), api_url=address)
    started = []
    for handle, template in _AGENTS.items():
        config = templates.write_agent(place / handle, template, handle)
        source = Source(place / handle / "agent.yaml", config, variables)
        started.append(stack.enter_context(ServedAgent(client, source, server.bind("127.0.0.1", 0), log)))
    for agent in started:
        agent.register()
    return client
