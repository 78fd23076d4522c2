"""Agents on the platform: `fixie agent list`, `show`, `register` and `delete`."""

from typing import Any

import click

from fixieai.cli import output
from fixieai.client.client import FixieClient

_LABELS = {
    "name": "Name",
    "description": "Description",
    "moreInfoUrl": "More info",
    "type": "Type",
    "status": "Status",
    "url": "Served at",
    "published": "Published",
    "created": "Created",
    "modified": "Modified",
}


@click.command("list", short_help="List agents.")
@click.option("--verbose", "-v", is_flag=True, help="Also where each agent is served, and a sample query.")
def list_agents(verbose: bool) -> None:
    """List the agents you can talk to: id, status, description.

    In a pipe the columns are separated by tabs.
    """
    agents = FixieClient().get_agents()
    headings: tuple[str, ...] = ("AGENT", "STATUS", "DESCRIPTION")
    if verbose:
        headings += ("SERVED AT", "SAMPLE QUERY")
    output.table(headings, (_row(agents[agent_id], verbose) for agent_id in sorted(agents)))


def _row(agent: dict[str, Any], verbose: bool) -> tuple[str, ...]:
    about = agent.get("description") or agent.get("name") or ""
    row = (agent["agentId"], agent.get("status") or "", about)
    return (*row, agent.get("url") or "", next(iter(agent.get("queries") or ()), "")) if verbose else row


@click.command(short_help="Show an agent.")
@click.argument("agent_id")
def show(agent_id: str) -> None:
    """Show what the platform knows about AGENT_ID, which is HANDLE or OWNER/HANDLE."""
    about = FixieClient().get_agent(agent_id).get_metadata()
    click.echo(f"Agent: {about['agentId']}")
    for key, label in _LABELS.items():
        value = about.get(key)
        if value not in (None, ""):
            output.say(f"{label}: {value}")
    for query in about.get("queries") or ():
        output.say(f"Sample query: {query}")


@click.command(short_help="Tell the platform where an agent is served.")
@click.argument("handle")
@click.argument("url")
@click.option("--description", help="What people read about it.")
def register(handle: str, url: str, description: str | None) -> None:
    """Register your agent HANDLE, served at URL by any program that speaks the agent protocol."""
    agent = FixieClient().get_agent(handle)
    agent.register(url, **({"description": description} if description else {}))
    about = agent.get_metadata()
    click.echo(f"Registered {about['agentId']} ({about['type']}) at {about['url']}")


@click.command(short_help="Delete an agent.")
@click.argument("handle")
def delete(handle: str) -> None:
    """Delete your agent HANDLE from the platform. Its code and its sessions stay."""
    agent = FixieClient().get_agent(handle)
    about = agent.get_metadata()
    agent.delete_agent()
    click.echo(f"Deleted {about['agentId']}")
