"""Asking an agent what it is."""

import json

from fixieai import errors
from fixieai.platform.agent_calls.fixie import AgentAddress, AgentCaller
from fixieai.platform.auth import Auth, Caller
from fixieai.protocol import metadata
from fixieai.storage.agents import Handshake
from fixieai.web import egress


class Handshakes:
    """Handshakes with agents, wherever they run."""

    def __init__(self, auth: Auth, agent_calls: AgentCaller, agent_seconds: float) -> None:
        self._auth = auth
        self._agent_calls = agent_calls
        self._agent_seconds = agent_seconds

    async def ask(self, caller: Caller, agent_id: str, url: str, *, is_hosted: bool = False) -> Handshake:
        """What the agent at `url` says of itself; of type "unknown" where it has no handshake.

        `is_hosted`: the address is that of a process of this platform.

        Raises:
            UnprocessableContent: the address cannot be one.
            Forbidden: the address may not be reached.
            AgentUnavailable: it does not answer there, or cannot be understood.
        """
        egress.check_url(url)
        token = self._auth.query_token(caller.username, agent_id, "handshake")
        address = AgentAddress(agent_id, url, token, self._agent_seconds, is_hosted)
        described = await self._agent_calls.handshake(address)
        if described is None:
            return Handshake("unknown", "", [])
        content = described.to_dict()
        return Handshake(content["type"], json.dumps(content), metadata.sample_queries(described))

    async def try_to_ask(self, caller: Caller, agent_id: str, url: str) -> Handshake | None:
        """The same, or None where it does not answer."""
        try:
            return await self.ask(caller, agent_id, url)
        except errors.AgentUnavailable:
            return None
