"""The client of the platform for programs: `FixieClient`, and functions on one shared client and session."""

import functools
from collections.abc import Iterator
from typing import Any

from fixieai.client import agent as agents
from fixieai.client.accounts import AccountConnection
from fixieai.client.agent import Agent
from fixieai.client.organizations import OrganizationConnection
from fixieai.client.revisions import FixieEnvironment, RevisionConnection
from fixieai.client.session import Session

__all__ = [
    "FixieClient",
    "FixieEnvironment",
    "get_agents",
    "get_client",
    "get_embeds",
    "get_session",
    "query",
]


class FixieClient(RevisionConnection, OrganizationConnection, AccountConnection):
    """The platform's agents and sessions, as the user whose API key this is."""

    def clone(self) -> "FixieClient":
        """Another client of the same platform with the same key, for another thread to have to itself."""
        return FixieClient(self._key, api_url=self.url)

    def get_agents(self) -> dict[str, dict[str, Any]]:
        """Every agent the user may talk to, by agent id: `agentId`, `name`, `description`, ..."""
        return {found["agentId"]: found for found in self.get_all(f"{self.url}/api/agents", "agents")}

    def get_agent(self, agent_id: str) -> Agent:
        """The agent `owner/handle`, or of that handle of the user's own. See `Agent.valid`."""
        return Agent(self, agent_id)

    def create_agent(  # noqa: PLR0913, PLR0917 - the contract's
        self,
        handle: str,
        name: str | None = None,
        description: str = "",
        query_url: str | None = None,
        func_url: str | None = None,
        more_info_url: str | None = None,
        published: bool | None = None,
    ) -> Agent:
        """A new agent, of the user's or, as `organisation/handle`, of an organisation of theirs.

        Raises:
            Conflict: there is one of that name already.
        """
        agent = Agent(self, handle)
        agent.create_agent(name, description, query_url, func_url, more_info_url, published)
        return agent

    def get_agent_page_url(self, agent_id: str) -> str:
        return agents.page_url(self, agent_id)

    def get_sessions(self) -> list[str]:
        """The handles of the user's sessions, the latest first."""
        return [found["handle"] for found in self.get_session_metadata()]

    def get_session_metadata(self) -> Iterator[dict[str, Any]]:
        """The sessions, the latest first: `handle`, `name`, `frontendAgentId`, `created`, `modified`."""
        return self.get_all(f"{self.url}/api/sessions", "sessions")

    def create_session(self, frontend_agent_id: str | None = None) -> Session:
        """A new session whose queries `frontend_agent_id` answers (None: the platform chooses)."""
        return Session(self, frontend_agent_id=frontend_agent_id)

    def get_session(self, session_id: str) -> Session:
        """The session of that handle. Raises NotFound when there is none."""
        return Session(self, session_id)

    def refresh_agent(self, agent_handle: str) -> Any:
        """Lets the platform shake hands with the agent again, so that it learns of changes."""
        return self.post(agents.agent_url(self, agent_handle, api="refresh"))


@functools.cache
def get_client() -> FixieClient:
    """The shared client.

    Raises:
        PermissionError: there is no API key.
    """
    return FixieClient()


@functools.cache
def get_session() -> Session:
    """The shared session, begun at the first use."""
    return get_client().create_session()


def get_agents() -> dict[str, dict[str, Any]]:
    """Every agent the user may talk to, by agent id."""
    return get_client().get_agents()


def query(text: str) -> str:
    """Asks in the shared session and gives the answer."""
    return get_session().query(text)


def get_embeds() -> list[dict[str, Any]]:
    """The attachments of the shared session."""
    return get_session().get_embeds()
