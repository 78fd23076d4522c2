"""Where an agent is called for one person's query: at its own address, or at the process of its package."""

import contextlib

from fixieai import errors
from fixieai.platform.agent_calls.fixie import AgentAddress
from fixieai.platform.auth import Auth, Caller
from fixieai.platform.deployments.deployments import Deployments
from fixieai.platform.programs import Program


class AgentAddresses:
    """`seconds` bound each call to an agent."""

    def __init__(self, auth: Auth, deployments: Deployments, seconds: float) -> None:
        self._auth = auth
        self._deployments = deployments
        self._seconds = seconds

    async def of(self, program: Program, caller: Caller, session: str) -> AgentAddress:
        """The agent as the person's query reaches it in a session.

        Raises:
            AgentUnavailable: it is registered but does not run.
        """
        token = self._auth.query_token(caller.username, program.agent_id, session)
        is_own = program.agent_id.startswith(f"{caller.username}/")
        is_hosted = program.url is None
        url = await self._url(program)
        return AgentAddress(program.agent_id, url, token, self._seconds, is_hosted, is_own)

    def held(self, program: Program) -> contextlib.AbstractContextManager[None]:
        """Within the block the process of this very revision goes on, also when another becomes current."""
        if program.environment is None or program.revision_id is None:
            return contextlib.nullcontext()
        return self._deployments.hold(program.revision_id, program.agent_id)

    async def _url(self, program: Program) -> str:
        if program.url is not None:
            return program.url
        if program.environment is None or program.revision_id is None or program.package_hash is None:
            raise errors.AgentUnavailable(f"The agent {program.agent_id} is not running. Start its program.")
        return await self._deployments.address(
            program.revision_id, program.package_hash, program.environment, program.agent_id
        )
