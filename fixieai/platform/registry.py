"""Which agents there are, where they run, and what they said of themselves at their last handshake."""

import json
import re

from fixieai import errors
from fixieai.platform import router
from fixieai.platform.agent_calls.fixie import AgentAddress, AgentCaller
from fixieai.platform.auth import Auth, Caller
from fixieai.platform.programs import Program, Programs
from fixieai.protocol import metadata
from fixieai.storage import agents
from fixieai.storage.agents import Agent, AgentChanges, Handshake
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.web import egress

_HANDLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_ROUTED_AGENTS = 1_000


class Registry:
    """Agents by id: `owner/handle`, or a bare handle of the caller's own."""

    def __init__(self, database: Database, auth: Auth, caller: AgentCaller, agent_seconds: float) -> None:
        self._database = database
        self._auth = auth
        self._agent_calls = caller
        self._agent_seconds = agent_seconds
        self._programs = Programs()

    async def find(self, caller: Caller, agent_id: str) -> Agent:
        """The caller's own agent, or a published one of somebody else.

        Raises:
            NotFound: there is none that the caller may see.
        """
        owner, _, handle = agent_id.rpartition("/")
        agent = await self._database.read(agents.get, caller.user_id, owner or caller.username, handle)
        if agent is None:
            raise errors.NotFound(
                f"There is no agent {agent_id!r} here. `fixie agent list` shows those that are."
            )
        return agent

    async def program(self, caller: Caller, agent_id: str) -> Program:
        return self._programs.of(await self.find(caller, agent_id))

    async def page(self, caller: Caller, after: str | None, limit: int) -> list[Agent]:
        return await self._database.read(agents.page, caller.user_id, after, limit)

    async def register(self, caller: Caller, handle: str, changes: AgentChanges) -> Agent:
        """Creates or changes the caller's agent; with an address, asks it what it is.

        Raises:
            UnprocessableContent: the handle or the address cannot be one.
            AgentUnavailable: the agent does not answer there; nothing was changed.
        """
        if not _HANDLE.fullmatch(handle):
            raise errors.UnprocessableContent(
                "A handle has 1 to 64 letters, digits, hyphens and underscores, and begins with no hyphen."
            )
        if isinstance(changes.url, str):
            egress.check_url(changes.url)
            said = await self._handshake(caller, handle, changes.url)
            return await self._database.write(_upsert_and_greet, caller.user_id, handle, changes, said)
        return await self._database.write(agents.upsert, caller.user_id, handle, changes)

    async def refresh(self, caller: Caller, handle: str) -> Agent:
        """Asks the caller's agent again what it is.

        Raises:
            NotFound: the caller has no such agent.
            AgentUnavailable: it does not answer; it is shown as unreachable from now on.
        """
        agent = await self.find(caller, f"{caller.username}/{handle}")
        if agent.url is None:
            raise errors.AgentUnavailable(f"The agent {handle} is not running. Start its program.")
        try:
            said = await self._handshake(caller, handle, agent.url)
        except errors.AgentUnavailable:
            await self._database.write(agents.set_status, caller.user_id, handle, "unreachable")
            raise
        return await self._database.write(agents.set_handshake, caller.user_id, handle, said)

    async def delete(self, caller: Caller, handle: str) -> None:
        if not await self._database.write(agents.delete, caller.user_id, handle):
            raise errors.NotFound

    async def route(self, caller: Caller, text: str) -> Program:
        """The agent whose sample queries are most like the text.

        Raises:
            NotFound: none is like it.
        """
        candidates = await self._database.read(agents.samples, caller.user_id, _ROUTED_AGENTS)
        chosen = router.choose(text, candidates)
        if chosen is None:
            names = ", ".join(candidate.agent_id for candidate in candidates[:10]) or "none is registered"
            raise errors.NotFound(
                f"No agent says that it answers questions like this one. Name one, as in `@owner/handle "
                f"your question`. Agents here: {names}."
            )
        return await self.program(caller, chosen)

    async def _handshake(self, caller: Caller, handle: str, url: str) -> Handshake:
        agent_id = f"{caller.username}/{handle}"
        token = self._auth.query_token(caller.username, agent_id, "handshake")
        address = AgentAddress(agent_id, url, token, self._agent_seconds)
        described = await self._agent_calls.handshake(address)
        if described is None:
            return Handshake("unknown", "", [])
        content = described.to_dict()
        return Handshake(content["type"], json.dumps(content), metadata.sample_queries(described))


def _upsert_and_greet(
    transaction: Transaction, owner_id: int, handle: str, changes: AgentChanges, said: Handshake
) -> Agent:
    agents.upsert(transaction, owner_id, handle, changes)
    return agents.set_handshake(transaction, owner_id, handle, said)
