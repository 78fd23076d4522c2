"""`fixie agent revisions` and `fixie agent logs`: which code or address answers for an agent."""

import json
from typing import Any

import click

from fixieai.cli import lazy, output
from fixieai.cli.agent import deployed_agent
from fixieai.cli.lazy import Entry
from fixieai.client.client import FixieClient

_HERE = "fixieai.cli.agent.revisions"

revisions = lazy.group(
    "revisions",
    "Revisions-related commands.",
    {
        "list": Entry(f"{_HERE}:list_revisions", "Lists the revisions associated with an agent."),
        "set-current": Entry(f"{_HERE}:set_current", "Sets the current (active) revision of an agent."),
        "delete": Entry(f"{_HERE}:delete", "Deletes a revision of an agent."),
    },
)


@click.command("list", short_help="Lists the revisions associated with an agent.")
@click.argument("path", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_revisions(path: str | None, as_json: bool) -> None:
    """Lists the revisions of the agent in PATH, the newest first: id, whether current, state, age, where.

    In a pipe the columns are separated by tabs.
    """
    client = FixieClient()
    agent = deployed_agent.find(client, path)
    found = list(client.get_agent_revisions(agent.agent_id))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        output.table(("REVISION", "CURRENT", "STATE", "AGE", "WHERE"), map(_row, found))


def _row(revision: dict[str, Any]) -> tuple[str, ...]:
    current = "current" if revision.get("isCurrent") else "-"
    where = revision.get("url") or revision.get("environment") or ""
    age = output.age(revision.get("created"))
    return str(revision["id"]), current, revision.get("status") or "", age, where


@click.command("set-current", short_help="Sets the current (active) revision of an agent.")
@click.argument("path", required=False)
@click.option("--id", "revision", required=True, help="The revision, as `list` shows it.")
def set_current(path: str | None, revision: str) -> None:
    """Lets another revision of the agent in PATH answer; queries under way end with the former one."""
    client = FixieClient()
    agent = deployed_agent.find(client, path)
    client.set_current_agent_revision(agent.agent_id, revision)
    click.echo(f"Revision {revision} of {agent.agent_id} is current.")


@click.command(short_help="Deletes a revision of an agent.")
@click.argument("path", required=False)
@click.option("--id", "revision", required=True, help="The revision, as `list` shows it.")
@click.option("--force", "-f", is_flag=True, help="Even the current one: the agent is offline then.")
def delete(path: str | None, revision: str, force: bool) -> None:
    """Deletes a revision of the agent in PATH. The current one only with --force."""
    client = FixieClient()
    agent = deployed_agent.find(client, path)
    if not force and client.get_current_agent_revision(agent.agent_id) == revision:
        raise click.ClickException(
            f"revision {revision} is the current one of {agent.agent_id}; --force deletes it even so"
        )
    client.delete_agent_revision(agent.agent_id, revision)
    click.echo(f"Deleted revision {revision} of {agent.agent_id}.")


@click.command(short_help="Print what a deployed agent printed.")
@click.argument("agent_id")
@click.option("--id", "revision", help="The revision; the current one unless told.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Lines.")
def logs(agent_id: str, revision: str | None, limit: int) -> None:
    """Prints the last lines that AGENT_ID, which is HANDLE or OWNER/HANDLE, printed where it is deployed."""
    for line in FixieClient().get_agent_logs(agent_id, revision, limit):
        output.say(line)
