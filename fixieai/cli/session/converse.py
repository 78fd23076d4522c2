"""Talking with agents: `fixie query`, `fixie console`, `fixie session open`."""

import sys
import webbrowser
from collections.abc import Callable
from typing import Any, TypeVar

import click

from fixieai import credentials, errors
from fixieai.cli import exits, output
from fixieai.cli.session import answers
from fixieai.cli.session.answers import Style
from fixieai.client.client import FixieClient
from fixieai.client.session import Session

_PAST_MESSAGES = 20
_HISTORY = "console_history"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _talk_options(command: _Command) -> _Command:
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Show more of what happens."),
        click.option("-a", "--agent", help="The agent to ask, HANDLE or OWNER/HANDLE."),
        click.option("--web", is_flag=True, help="Open the session in the browser."),
    ):
        command = option(command)
    return command


@click.command(short_help="Creates a new session and opens it.")
@click.argument("message", required=False)
@_talk_options
def new(message: str | None, agent: str | None, web: bool, verbose: bool) -> int:
    """Creates a new session and opens it.

    With MESSAGE, asks that first. Then every line you type is a question; `@HANDLE question` asks that
    agent. Ctrl-C cancels a line or stops listening to an answer, Ctrl-D ends.
    """
    client = FixieClient()
    session = client.create_session(frontend_agent(client, agent))
    if web:
        return _browse(session)
    return converse(client, session, message, verbose=verbose)


@click.command("open", short_help="Opens a session.")
@click.argument("session_id")
@click.argument("message", required=False)
@_talk_options
def open_session(session_id: str, message: str | None, agent: str | None, web: bool, verbose: bool) -> int:
    """Opens the session SESSION_ID: shows its last messages and goes on with it.

    With MESSAGE, asks that first.
    """
    client = FixieClient()
    session = Session(client, session_id, frontend_agent(client, agent))
    if web:
        return _browse(session)
    for past in session.get_messages()[-_PAST_MESSAGES:]:
        show_message(past)
    return converse(client, session, message, verbose=verbose)


@click.command(short_help="Runs a single query and exit.")
@click.argument("message")
@_talk_options
@click.option("--keep", is_flag=True, help="Accepted for old scripts: sessions are always kept.")
def query(message: str, agent: str | None, web: bool, verbose: bool, keep: bool) -> int:
    """Asks MESSAGE in a new session and prints the answer.

    The answer goes to standard output and the steps to standard error, so that a script can read the
    answer. The session is kept on the platform: `fixie session` lists it, `fixie session show` prints
    every step. Exit code 1 when the query failed.
    """
    del keep
    client = FixieClient()
    session = client.create_session(frontend_agent(client, agent))
    if verbose:
        output.hint(f"[session {session.session_id}]", err=True)
    succeeded = _ask(session, message, Style(aside_err=True, growing=output.is_terminal(), verbose=verbose))
    if web:
        _browse(session)
    return 0 if succeeded else exits.FAILED


def frontend_agent(client: FixieClient, named: str | None) -> str | None:
    """The full id of the agent that `-a` names.

    Raises:
        BadParameter: there is no such agent (exit code 2).
    """
    if named is None:
        return None
    try:
        agent = client.get_agent(named)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'-a' / '--agent'") from error
    if not agent.valid:
        raise click.BadParameter(
            f"there is no agent {named}. `fixie agent list` shows those that are.",
            param_hint="'-a' / '--agent'",
        )
    return str(agent.get_metadata()["agentId"])


def converse(
    client: FixieClient, session: Session, message: str | None, *, verbose: bool, is_remembered: bool = True
) -> int:
    """Asks `message`, then each line that is typed. The exit code is 1 when the last query failed."""
    from fixieai.cli.session import reader  # noqa: PLC0415 - prompt_toolkit, for conversations only

    if output.is_terminal():
        _greet(client, session)
    style = Style(aside_err=False, growing=output.is_terminal(), verbose=verbose)
    succeeded = _attempt(session, message, style) if message else True
    history = credentials.home_path() / _HISTORY if is_remembered else None
    for line in reader.lines(history):
        succeeded = _attempt(session, line, style)
    return 0 if succeeded else exits.FAILED


def _greet(client: FixieClient, session: Session) -> None:
    model = client.get_current_user().get("defaultModel")
    output.hint(f"Session {session.session_id}, {session.frontend_agent_id or 'any agent that can answer'}.")
    if model:
        output.hint(answers.model_line(model))
    output.hint("Ctrl-C cancels, Ctrl-D ends.")


def _attempt(session: Session, text: str, style: Style) -> bool:
    """One query of a conversation: a failure is printed, and the conversation goes on."""
    try:
        return _ask(session, text, style)
    except errors.Unauthenticated:
        raise
    except errors.FixieError as failure:
        click.echo(f"Error: {failure}", err=True)
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
    return False


def _ask(session: Session, text: str, style: Style) -> bool:
    try:
        return answers.show_query(session, text, style)
    except KeyboardInterrupt:
        click.echo(
            f"Stopped listening; the query goes on: `fixie session show {session.session_id}` shows it.",
            err=True,
        )
        raise


def show_message(message: dict[str, Any]) -> None:
    """Prints one stored message: the person's question, a step, or the answer."""
    sent_by = message.get("sentBy") or {}
    if message["type"] == "query" and sent_by.get("handle") == "user":
        click.secho(output.printable(f"> {message['text']}"), bold=True)
    elif message["type"] == "response":
        output.say(message["text"])
    else:
        answers.step(message)
    for key in message.get("embeds") or []:
        output.hint(f"  #{key}")


def _browse(session: Session) -> int:
    page = session.page_with_code()
    click.echo(page)
    webbrowser.open(page)
    return 0
