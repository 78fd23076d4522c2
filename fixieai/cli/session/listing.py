"""Looking at sessions: `fixie session list` and `fixie session show`."""

import itertools
from typing import Any

import click

from fixieai.cli import output
from fixieai.cli.session import answers, converse
from fixieai.client.client import FixieClient

_DEFAULT_LIMIT = 50


@click.command("list", short_help="Lists sessions.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=_DEFAULT_LIMIT, show_default=True, help="0: all."
)
def list_sessions(limit: int = _DEFAULT_LIMIT) -> None:
    """Lists sessions, the latest first: handle, agent, age, first words.

    In a pipe the columns are separated by tabs.
    """
    found = FixieClient().get_session_metadata()
    shown = itertools.islice(found, limit or None)
    output.table(("SESSION", "AGENT", "AGE", "FIRST WORDS"), map(_row, shown))


def _row(session: dict[str, Any]) -> tuple[str, ...]:
    agent = session.get("frontendAgentId") or "-"
    return session["handle"], agent, output.age(session.get("created")), session.get("name") or ""


@click.command(short_help="Prints a session with every step of its queries.")
@click.argument("session_id")
def show(session_id: str) -> None:
    """Prints every message of the session SESSION_ID: questions, each step on the way, answers."""
    session = FixieClient().get_session(session_id)
    messages = session.get_messages()
    for message in messages:
        converse.show_message(message)
    answers.show_embeds(session, [str(key) for message in messages for key in message.get("embeds") or ()])
