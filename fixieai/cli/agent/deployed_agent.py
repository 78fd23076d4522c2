"""An agent.yaml and the agent of that name at the platform."""

import shlex
from importlib import metadata

import click

from fixieai.cli.agent import agent_config, init
from fixieai.cli.agent.agent_config import AgentConfig
from fixieai.client.agent import Agent
from fixieai.client.client import FixieClient

_CLIENT = "python-cli"


def labels(command: str) -> dict[str, str]:
    """What is kept with a revision that this program made."""
    return {
        "fixie.ai/client": _CLIENT,
        f"fixie.ai/{_CLIENT}/command": command,
        f"fixie.ai/{_CLIENT}/version": metadata.version("fixieai"),
    }


def find(client: FixieClient, path: str | None) -> Agent:
    """The agent that the agent.yaml in PATH names.

    Raises:
        ClickException: there is no such agent at the platform.
    """
    config = init.load_or_create(agent_config.path_of(path))
    agent = client.get_agent(config.agent_id)
    if not agent.valid:
        raise click.ClickException(f"there is no agent {config.agent_id} on {client.url}: deploy it first")
    return agent


def id_of(client: FixieClient, agent: Agent, config: AgentConfig) -> str:
    """`owner/handle` of an agent, which may have been renamed since, or is still to be made."""
    owner = agent.owner or config.owner or client.get_current_username()
    return f"{owner}/{agent.handle or config.handle}"


def create_or_update(agent: Agent, config: AgentConfig) -> None:
    """Says what the agent.yaml says of the agent; who may use it stays as it is."""
    change = agent.update_agent if agent.valid else agent.create_agent
    change(name=config.name, description=config.description, more_info_url=config.more_info_url)


def sample_query(client: FixieClient, agent_id: str) -> str | None:
    """A command that asks the agent what it says it answers."""
    queries = client.get_agent(agent_id).queries
    if not queries:
        return None
    owner, _, handle = agent_id.rpartition("/")
    named = handle if owner == client.get_current_username() else agent_id
    return f"fixie query -a {named} {shlex.quote(queries[0])}"
