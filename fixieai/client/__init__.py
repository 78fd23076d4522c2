"""Programs talk to the platform through these."""

from fixieai.client.agent import Agent
from fixieai.client.asynchronous import AsyncAgent, AsyncFixieClient, AsyncSession
from fixieai.client.client import (
    FixieClient,
    FixieEnvironment,
    get_agents,
    get_client,
    get_embeds,
    get_session,
    query,
)
from fixieai.client.session import Session

__all__ = [
    "Agent",
    "AsyncAgent",
    "AsyncFixieClient",
    "AsyncSession",
    "FixieClient",
    "FixieEnvironment",
    "Session",
    "get_agents",
    "get_client",
    "get_embeds",
    "get_session",
    "query",
]
