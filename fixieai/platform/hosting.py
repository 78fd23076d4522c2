"""Keeps the processes of deployed agents in step with which revisions are current."""

import asyncio
import contextlib
import logging
import pathlib
from collections.abc import AsyncIterator, Awaitable, Sequence

from fixieai import errors
from fixieai.platform import unused_bytes
from fixieai.platform.deployments.deployments import Deployments
from fixieai.storage import agents, packages, revisions
from fixieai.storage.agents import Agent
from fixieai.storage.database import Database
from fixieai.storage.revisions import Revision, Switch

_logger = logging.getLogger("fixieai.platform")
_AGENTS_AT_ONCE = 1_000
_PACKAGES_AT_ONCE = 1_000
_SECONDS_BEFORE_STARTING = 1.0


class Hosting:
    """What the registry asks of `Deployments`, mostly in the background.

    A package is stored before the revision that has it: a hold on it says that it is needed.
    """

    def __init__(self, database: Database, deployments: Deployments) -> None:
        self._database = database
        self.deployments = deployments
        self._tasks: set[asyncio.Task[None]] = set()

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
        if agent.environment is not None:
            self.in_background(self._start_or_show(agent))

    async def _start_or_show(self, agent: Agent) -> None:
        """An agent whose code does not start is shown as unreachable."""
        try:
            await self.deployments.start(*_what_runs(agent))
        except errors.AgentUnavailable:
            await self._database.write(agents.set_unreachable, agent)
            raise

    def retire(self, revision_id: int) -> None:
        """Stops the process of a revision, in the background."""
        self.in_background(self.deployments.retire(revision_id))

    @contextlib.asynccontextmanager
    async def stored(self, path: pathlib.Path, environment: str) -> AsyncIterator[str]:
        """The hash of a package that is kept from now on, if a revision has it when the block ends.

        Raises:
            UnprocessableContent, ContentTooLarge: it cannot be used; the message says why.
        """
        package_hash = await self.deployments.checked(path, environment)
        hold_id = await unused_bytes.write_when_not_removed(self._database, packages.hold, package_hash)
        try:
            await self.deployments.store(path)
            yield package_hash
        finally:
            self.in_background(self._let_go(hold_id, package_hash))

    async def _let_go(self, hold_id: int, package_hash: str) -> None:
        await self._database.write(packages.let_go, hold_id)
        await self._discard([package_hash])

    def discard(self, package_hashes: Sequence[str]) -> None:
        """Forgets those packages that no revision has any more, in the background."""
        self.in_background(self._discard(package_hashes))

    async def _discard(self, package_hashes: Sequence[str]) -> None:
        for package_hash in package_hashes:
            await unused_bytes.remove(self._database, packages.BYTES, package_hash, self.deployments.discard)

    async def catch_up(self) -> None:
        """Other platforms switch revisions as well: what is no longer current is stopped here too."""
        running = self.deployments.running()
        current = await self._database.read(revisions.current_among, sorted(running))
        names = {revision_id: agent.agent_id for revision_id, agent in current.items()}
        self.deployments.catch_up(names, running)

    async def start_all(self) -> None:
        """For the start of a platform: what is current is started, what is left of others is deleted."""
        current = await self._database.read(revisions.managed, 0, _AGENTS_AT_ONCE)
        await self.deployments.forget_all_but([_what_runs(agent) for agent in current])
        self.in_background(self._start_soon())
        self.discard(await self._database.read(packages.BYTES.perhaps_unused, _PACKAGES_AT_ONCE))

    async def _start_soon(self) -> None:
        """A platform answers first, and one that is there for a moment alone starts none."""
        await asyncio.sleep(_SECONDS_BEFORE_STARTING)
        most = min(_AGENTS_AT_ONCE, self.deployments.most_at_once)
        for agent in await self._database.read(revisions.managed, 0, most):
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


def _what_runs(agent: Agent) -> tuple[int, str, str, str]:
    """What `Deployments.start` takes, of an agent whose current revision is code."""
    if agent.current_revision_id is None or agent.package_hash is None or agent.environment is None:
        raise ValueError("not an agent whose code the platform runs")
    return agent.current_revision_id, agent.agent_id, agent.package_hash, agent.environment


async def _logged(work: Awaitable[object]) -> None:
    try:
        await work
    except errors.FixieError as error:
        # What follows the first line was printed by an agent.
        _logger.warning("%s", error.message.partition("\n")[0])
    except Exception:
        _logger.exception("a deployment failed")
