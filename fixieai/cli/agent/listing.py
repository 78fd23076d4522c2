"""Agents on the platform: `fixie agent list`, `show`, `register` and `delete`."""

import contextlib
from collections.abc import Iterator
from typing import Any

import click

from fixieai import errors
from fixieai.cli import output
from fixieai.cli.agent import deployed_agent
from fixieai.client.agent import Agent
from fixieai.client.client import FixieClient

_LABELS = {
    "name": "Name",
    "description": "Description",
    "moreInfoUrl": "More info",
    "type": "Type",
    "status": "Status",
    "url": "Served at",
    "environment": "Runs",
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
    client = FixieClient()
    about = _known(client, agent_id).get_metadata()
    click.echo(f"Agent: {about['agentId']}")
    for key, label in _LABELS.items():
        value = about.get(key)
        if value not in (None, ""):
            output.say(f"{label}: {value}")
    for query in about.get("queries") or ():
        output.say(f"Sample query: {query}")
    with contextlib.suppress(errors.NotFound):  # somebody else's: what runs there is not told
        for revision in _revisions_to_current(client, about["agentId"]):
            output.say(_state(revision))


def _known(client: FixieClient, agent_id: str) -> Agent:
    agent = client.get_agent(agent_id)
    if not agent.valid:
        raise errors.NotFound(f"there is no agent {agent_id}. `fixie agent list` shows those that are.")
    return agent


def _revisions_to_current(client: FixieClient, agent_id: str) -> Iterator[dict[str, Any]]:
    """The current revision, after those that are newer."""
    for revision in client.get_agent_revisions(agent_id):
        yield revision
        if revision["isCurrent"]:
            return


def _state(revision: dict[str, Any]) -> str:
    kind = "Current revision" if revision["isCurrent"] else "Newer revision"
    where = revision.get("url") or f"code for {revision.get('environment')}"
    state = f"{revision['status']}: {revision['problem']}" if revision.get("problem") else revision["status"]
    served = ", as long as its program runs" if revision.get("isServed") else ""
    return f"{kind}: {revision['id']}, {where}{served} ({state})"


@click.command(short_help="Tell the platform where an agent is served.")
@click.argument("handle")
@click.argument("url")
@click.option("--description", help="What people read about it.")
def register(handle: str, url: str, description: str | None) -> None:
    """Register your agent HANDLE, served at URL by any program that speaks the agent protocol.

    The address becomes the agent's current revision, until another one does.
    """
    client = FixieClient()
    agent = client.get_agent(handle)
    is_new = not agent.valid
    if is_new:
        agent.create_agent(description=description or "")
    elif description:
        agent.update_agent(description=description)
    labels = deployed_agent.labels("register")
    try:
        client.create_agent_revision(handle, True, external_url=url, metadata=labels)
    except errors.FixieError:
        if is_new:
            agent.delete_agent()
        raise
    about = agent.get_metadata()
    click.echo(f"Registered {about['agentId']} ({about['type']}) at {about['url']}")


@click.command(short_help="Delete an agent.")
@click.argument("handle")
def delete(handle: str) -> None:
    """Delete your agent HANDLE from the platform. Its code and its sessions stay."""
    agent = _known(FixieClient(), handle)
    about = agent.get_metadata()
    agent.delete_agent()
    click.echo(f"Deleted {about['agentId']}")
