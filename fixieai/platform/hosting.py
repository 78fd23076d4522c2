"""Keeps the processes of deployed agents in step with which revisions are current."""

import asyncio
import logging
import pathlib
from collections.abc import Awaitable
from typing import Protocol

from fixieai import errors
from fixieai.storage import revisions
from fixieai.storage.agents import Agent
from fixieai.storage.database import Database
from fixieai.storage.revisions import Revision, Switch

_logger = logging.getLogger("fixieai.platform")
_AGENTS_AT_ONCE = 1_000


class Deployments(Protocol):
    """Whoever runs packages of code. `revision_id` names a process, `agent_id` is `owner/handle`."""

    async def store(self, path: pathlib.Path, environment: str) -> str:
        """Checks a package and keeps it; its hash."""
        ...

    async def start(self, revision_id: int, agent_id: str, package_hash: str, environment: str) -> str:
        """The address of the running process, once it answers."""
        ...

    async def retire(self, revision_id: int) -> None:
        """Lets calls finish, then stops the process, if there is one."""
        ...

    async def logs(self, revision_id: int, limit: int) -> list[str]:
        """The newest lines that the process wrote."""
        ...


class Hosting:
    """What the registry asks of `Deployments`; without one, nothing can be deployed."""

    def __init__(self, database: Database, deployments: Deployments | None) -> None:
        self._database = database
        self._deployments = deployments
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def deployments(self) -> Deployments:
        """Raises ServiceUnavailable where there is none."""
        if self._deployments is None:
            raise errors.ServiceUnavailable("Running uploaded code is not available on this platform.")
        return self._deployments

    async def start(self, agent: Agent, revision: Revision) -> str:
        """The address at which the code of a revision answers.

        Raises:
            AgentUnavailable: it could not be started.
        """
        if revision.package_hash is None or revision.environment is None:
            raise ValueError("not a revision of code")
        return await self.deployments.start(
            revision.id, agent.agent_id, revision.package_hash, revision.environment
        )

    def follow(self, switch: Switch) -> None:
        """Stops what is no longer current and starts what is, both in the background."""
        before, after = switch.before, switch.after
        if before.current_revision_id == after.current_revision_id:
            return
        if before.environment is not None and before.current_revision_id is not None:
            self.retire(before.current_revision_id)
        self.start_current(after)

    def start_current(self, agent: Agent) -> None:
        """Starts the process of an agent whose current revision is code, in the background."""
        if agent.environment and agent.package_hash and agent.current_revision_id is not None:
            self.in_background(
                self.deployments.start(
                    agent.current_revision_id, agent.agent_id, agent.package_hash, agent.environment
                )
            )

    def retire(self, revision_id: int) -> None:
        """Stops the process of a revision, in the background."""
        if self._deployments is not None:
            self.in_background(self._deployments.retire(revision_id))

    async def start_all(self) -> None:
        """For the start of a platform."""
        if self._deployments is None:
            return
        for agent in await self._database.read(revisions.managed, 0, _AGENTS_AT_ONCE):
            self.start_current(agent)

    def in_background(self, work: Awaitable[object]) -> None:
        """What fails there is shown at the agent; the log says more."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _logged(work: Awaitable[object]) -> None:
    try:
        await work
    except errors.FixieError as error:
        _logger.warning("%s", error.message)
    except Exception:
        _logger.exception("a deployment failed")
