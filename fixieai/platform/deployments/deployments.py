"""Uploaded packages as running agents: one process for each revision that is current, or still in use.

    package_hash = await deployments.store(path)
    url = await deployments.start(revision_id, "local/dice", package_hash, "PYTHON")

A revision that is no longer current is retired: it runs until the last query that began with it has
ended. Whichever revision a query needs runs, or is started again from the stored package.
"""

import asyncio
import contextlib
import hashlib
import logging
import pathlib
import time
from collections import Counter
from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence

from fixieai import errors
from fixieai.platform.deployments import launching, logs, packages
from fixieai.platform.deployments.processes import ProcessLimits
from fixieai.platform.deployments.revision import DeployedRevision, Deployment, Workshop
from fixieai.platform.deployments.supervisor import NotRunning, Timing
from fixieai.platform.settings import Settings
from fixieai.storage.blobs import Blobs

_logger = logging.getLogger("fixieai.platform")
_CLOSING_SECONDS = 3.0
# A query that found a revision current a moment ago may be about to hold on to it.
_SECONDS_BEFORE_STOPPING = 1.0
_SECONDS_BETWEEN_TRIES = 30.0
_STARTS_AT_ONCE = 4
_SHOWN_LINES = 5
_SHOWN_CHARACTERS = 1_000
_AREA = "packages"


class Deployments:
    """Everything in memory is about processes: a platform that starts knows no revision until it is told."""

    def __init__(self, blobs: Blobs, settings: Settings, timing: Timing | None = None) -> None:
        """
        Raises:
            ConfigurationError: the folder `deployments` of the home cannot be written.
        """
        limits = settings.deployments
        self._blobs = blobs.area(_AREA)
        self.most_at_once = limits.processes
        self._timing = timing or Timing(hung=settings.limits.agent_seconds + 15)
        try:
            self._workshop = Workshop(
                self._blobs,
                settings.home.absolute() / "deployments",
                _variables_of(settings),
                ProcessLimits(memory_mib=limits.memory_mib),
                settings.deploy_seconds,
            )
        except OSError as error:
            raise errors.ConfigurationError(f"Cannot write {error.filename}: {error.strerror}") from error
        self._deployed: dict[Deployment, DeployedRevision] = {}
        self._stopping: dict[Deployment, asyncio.Task[None]] = {}
        self._holders: Counter[tuple[int, str]] = Counter()
        self._retired: set[int] = set()
        self._unneeded: set[Deployment] = set()
        # What was current, as others say or a query found.
        self._wanted: set[int] = set()
        self._turn = asyncio.Semaphore(_STARTS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def checked(self, path: pathlib.Path, environment: str) -> str:
        """The hash of a package that can be used.

        Raises:
            UnprocessableContent, ContentTooLarge: it cannot be; the message says why.
        """
        checked = launching.check_machine(environment)
        await asyncio.to_thread(packages.check, path, checked)
        return await asyncio.to_thread(_hash, path)

    async def store(self, path: pathlib.Path) -> str:
        """Keeps a package; its hash."""
        return await self._blobs.put(path)

    async def discard(self, package_hash: str) -> None:
        """Forgets a package that no revision has any more."""
        await self._blobs.delete(package_hash)

    async def start(self, revision_id: int, agent_id: str, package_hash: str, environment: str) -> str:
        """The address of the revision, once it answers. It runs until it is retired.

        Raises:
            AgentUnavailable: it could not be started. The message is for the owner: it ends with what
                the program printed last.
        """
        deployment = Deployment(revision_id, agent_id, package_hash, environment)
        self._retired.discard(revision_id)
        self._unneeded.discard(deployment)
        # It is about to be current: until others say so, that they do not says nothing.
        self._wanted.discard(revision_id)
        deployed = self._deployed.get(deployment)
        if deployed is None or deployed.failed_at is not None:
            deployed = self._begin(deployment)
        try:
            return await deployed.url()
        except NotRunning as error:
            said = await asyncio.to_thread(logs.last_lines, self._workshop.log_of(revision_id), _SHOWN_LINES)
            shown = f" It printed:\n{said[-_SHOWN_CHARACTERS:]}" if said else ""
            raise errors.AgentUnavailable(f"{agent_id} could not be started: {error}.{shown}") from error

    async def address(self, revision_id: int, package_hash: str, environment: str, agent_id: str) -> str:
        """The address of the revision for a query; it is started when it does not run.

        Raises:
            AgentUnavailable: it does not answer. The message holds nothing of what the program printed.
        """
        deployment = Deployment(revision_id, agent_id, package_hash, environment)
        deployed = self._deployed.get(deployment)
        if deployed is None or _may_be_tried_again(deployed):
            deployed = self._begin(deployment)
        deployed.last_use = time.monotonic()
        self._wanted.add(revision_id)
        try:
            return await deployed.url()
        except NotRunning as error:
            raise errors.AgentUnavailable(
                f"The agent {agent_id} is not running: {error.for_all}. Its owner finds more in its log."
            ) from error

    @contextlib.contextmanager
    def hold(self, revision_id: int, agent_id: str) -> Iterator[None]:
        """Within the block the revision is not stopped, also when it is retired."""
        key = (revision_id, agent_id)
        self._holders[key] += 1
        try:
            yield
        finally:
            self._holders[key] -= 1
            if not self._holders[key]:
                del self._holders[key]
                if self._unneeded:
                    self._in_background(self._stop_unneeded())

    async def retire(self, revision_id: int) -> None:
        """The revision is no longer current: its process is stopped when no query needs it. Does not wait."""
        self._retire(revision_id)

    def _retire(self, revision_id: int) -> None:
        self._retired.add(revision_id)
        self._unneeded.update(each for each in self._deployed if each.revision_id == revision_id)
        self._in_background(self._stop_unneeded())

    def running(self) -> set[int]:
        """The revisions that run here, or are about to."""
        return {deployment.revision_id for deployment in self._deployed}

    def catch_up(self, current: Mapping[int, str], asked: Collection[int]) -> None:
        """Keeps what is current, by revision its agent's id, and retires what was and is no longer.

        `asked` are the revisions that it is known of: not one that a query has started meanwhile.
        """
        for revision_id in self._retired & current.keys():
            self._retired.discard(revision_id)
            self._unneeded -= {
                each
                for each in self._unneeded
                if each.revision_id == revision_id and each.agent_id == current[revision_id]
            }
        running = self.running()
        for revision_id in self._wanted.intersection(running, asked) - current.keys() - self._retired:
            self._retire(revision_id)
        self._wanted = (self._wanted | current.keys()) & running

    async def logs(self, revision_id: int, limit: int) -> list[str]:
        """The newest lines that the revision's program printed, with their times."""
        return await asyncio.to_thread(logs.tail, self._workshop.log_of(revision_id), limit)

    async def remove_old_logs(self) -> None:
        """Those of programs that have not printed anything for 30 days."""
        await self._workshop.remove_old_logs()

    async def forget_all_but(self, current: Sequence[tuple[int, str, str, str]]) -> None:
        """Deletes what was unpacked of other revisions than these: for the start of a platform.

        Args:
            current: what `start` takes, of each.
        """
        await self._workshop.remove_all_but([*self._deployed, *(Deployment(*each) for each in current)])

    async def close(self) -> None:
        """Stops all processes; no others are started."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(
            *self._stopping.values(),
            *(deployed.stop(_CLOSING_SECONDS) for deployed in self._deployed.values()),
            *self._tasks,
            return_exceptions=True,
        )
        self._deployed.clear()

    def _begin(self, deployment: Deployment) -> DeployedRevision:
        """A new try; waits in its own time for what is left of the one before.

        Raises:
            ServiceUnavailable: too many programs are at work, or the platform ends.
        """
        if self._is_closed:
            raise errors.ServiceUnavailable("The platform is shutting down.")
        self._make_room()
        former = self._deployed.get(deployment)
        if former is not None:
            self._stop(former, removes=False)
        deployed = DeployedRevision(
            deployment, self._workshop, self._timing, self._turn, self._stopping.get(deployment)
        )
        self._deployed[deployment] = deployed
        # The same revision under the agent's former name is needed for queries under way alone.
        self._unneeded.update(
            each
            for each in self._deployed
            if each.revision_id == deployment.revision_id
            and (each != deployment or deployment.revision_id in self._retired)
        )
        return deployed

    def _make_room(self) -> None:
        """Stops the program that was idle for longest; it starts again when it is asked.

        Raises:
            ServiceUnavailable: all are at work.
        """
        if len(self._deployed) < self.most_at_once:
            return
        idle = [
            deployed
            for deployment, deployed in self._deployed.items()
            if not self._holders[deployment.revision_id, deployment.agent_id]
        ]
        if not idle:
            raise errors.ServiceUnavailable(
                f"All {self.most_at_once} agents that this platform runs at once are at work."
            )
        self._stop(min(idle, key=lambda deployed: deployed.last_use), removes=False)

    async def _stop_unneeded(self) -> None:
        await asyncio.sleep(_SECONDS_BEFORE_STOPPING)
        unneeded = [each for each in self._unneeded if not self._holders[each.revision_id, each.agent_id]]
        self._unneeded.difference_update(unneeded)
        for deployment in unneeded:
            if deployment in self._deployed:
                self._stop(self._deployed[deployment], removes=True)
        if unneeded:
            in_use = [deployed.environment for deployed in self._deployed.values() if deployed.environment]
            await self._workshop.environments.prune(in_use)

    def _stop(self, deployed: DeployedRevision, *, removes: bool) -> None:
        deployment = deployed.deployment
        del self._deployed[deployment]
        former = self._stopping.get(deployment)

        async def stop() -> None:
            await deployed.stop(self._timing.grace)
            if former is not None:
                await asyncio.wait({former})
            if removes:
                await self._workshop.remove(deployment)

        task = asyncio.create_task(stop())
        self._stopping[deployment] = task
        task.add_done_callback(lambda _: self._stopped(deployment, task))

    def _stopped(self, deployment: Deployment, task: asyncio.Task[None]) -> None:
        if self._stopping.get(deployment) is task:
            del self._stopping[deployment]

    def _in_background(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _hash(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _may_be_tried_again(deployed: DeployedRevision) -> bool:
    return deployed.failed_at is not None and time.monotonic() - deployed.failed_at > _SECONDS_BETWEEN_TRIES


def _variables_of(settings: Settings) -> dict[str, str]:
    """Programs call the platform on this machine, and send people to where others reach it."""
    variables = {"FIXIE_API_URL": settings.local_url}
    if settings.public_url is not None:
        variables["FIXIE_PUBLIC_URL"] = settings.public_url
    return variables
