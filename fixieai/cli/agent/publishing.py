"""`fixie publish` and `fixie unpublish`: who may use an agent."""

import click

from fixieai.cli.agent import deployed_agent
from fixieai.client.client import FixieClient


@click.command("publish", short_help="Make the current agent public.")
@click.argument("path", required=False)
def publish_agent(path: str | None) -> None:
    """Makes the agent in PATH (a folder, default this one, or its agent.yaml) one that everybody may use."""
    _publish(path, published=True)


@click.command("unpublish", short_help="Make the current agent not public.")
@click.argument("path", required=False)
def unpublish_agent(path: str | None) -> None:
    """Makes the agent in PATH (a folder, default this one, or its agent.yaml) its owner's alone."""
    _publish(path, published=False)


def _publish(path: str | None, *, published: bool) -> None:
    agent = deployed_agent.find(FixieClient(), path)
    agent_id = agent.update_agent(published=published)
    click.echo(f"{agent_id} is {'public: everybody may use it' if published else 'not public'}.")
