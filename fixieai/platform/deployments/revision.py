"""One revision on this machine, from its stored package to a program that answers."""

import asyncio
import hashlib
import os
import pathlib
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform.deployments import launching, logs, packages
from fixieai.platform.deployments.environments import Environments, Wanted
from fixieai.platform.deployments.launching import Launch, Place
from fixieai.platform.deployments.processes import Command, ProcessLimits
from fixieai.platform.deployments.supervisor import NotRunning, Supervisor, Timing
from fixieai.storage.blobs import Blobs

# Loading code is work for the processor. What takes longer than this mostly waits for something.
_SECONDS_OF_A_TURN = 5.0
_UNPREPARED = "its package could not be prepared"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is to run: the package of a revision, as the agent that it is of (`owner/handle`)."""

    revision_id: int
    agent_id: str
    package_hash: str
    environment: str

    @property
    def folder_name(self) -> str:
        """An agent that was renamed runs anew, beside the process that knows its former name."""
        return f"{self.revision_id}-{hashlib.sha256(self.agent_id.encode()).hexdigest()[:8]}"


class Workshop:
    """The folders of all revisions, and what making one of them run takes.

    revisions/ID-NAME/    code, home and tmp of one revision
    environments/         virtual environments
    logs/ID.log           what its program printed
    """

    def __init__(
        self,
        blobs: Blobs,
        folder: pathlib.Path,
        platform: Mapping[str, str],
        limits: ProcessLimits,
        seconds: float,
    ) -> None:
        """`platform` are the variables by which programs find it."""
        self._blobs = blobs
        self._folder = folder
        self._platform = platform
        self._limits = limits
        self._seconds = seconds
        self.environments = Environments(folder / "environments")
        for name in ("revisions", "environments", "logs"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in (folder / "revisions").glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)
        logs.remove_old(folder / "logs")

    def log_of(self, revision_id: int) -> pathlib.Path:
        return self._folder / "logs" / f"{revision_id}.log"

    def place_of(self, deployment: Deployment) -> Place:
        return Place(self._folder / "revisions" / deployment.folder_name, self.log_of(deployment.revision_id))

    async def prepare(self, deployment: Deployment) -> Launch:
        """Unpacks the package, unless it is, and installs what it requires.

        Raises:
            FixieError: the package is gone or cannot be run; the message says why.
            OSError: a file cannot be written.
        """
        place = self.place_of(deployment)
        if not place.folder.exists():
            await self._unpack(deployment.package_hash, place)
        command = Command(
            arguments=(),
            variables=place.variables(deployment.agent_id, self._platform),
            folder=place.code,
            log=place.log,
            limits=self._limits,
        )
        wanted = Wanted(deployment.agent_id, deployment.package_hash, place.code, command, self._seconds)
        if deployment.environment == "NODEJS":
            return await launching.prepare_node(place.code, wanted)
        return await launching.prepare_python(place.code, wanted, self.environments)

    async def remove(self, deployment: Deployment) -> None:
        """Deletes what was unpacked and what the program wrote; its log stays."""
        await asyncio.to_thread(shutil.rmtree, self.place_of(deployment).folder, ignore_errors=True)

    async def remove_old_logs(self) -> None:
        """Deletes those of programs that have not printed anything for a while."""
        await asyncio.to_thread(logs.remove_old, self._folder / "logs")

    async def remove_all_but(self, kept: Iterable[Deployment]) -> None:
        """Deletes the folders of revisions that are not among these."""
        names = {deployment.folder_name for deployment in kept}
        found = [folder for folder in (self._folder / "revisions").iterdir() if folder.name not in names]
        # Out of the way at once: one of them may be asked for while they are deleted.
        unneeded = [
            folder.rename(folder.with_name(f".{folder.name}-{secrets.token_hex(4)}"))
            for folder in found
            if not folder.name.startswith(".")
        ]
        for folder in unneeded:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _unpack(self, package_hash: str, place: Place) -> None:
        """Appears whole or not at all."""
        unfinished = place.folder.with_name(f".{place.folder.name}-{secrets.token_hex(4)}")
        unfinished.mkdir(mode=0o700)
        try:
            archive = unfinished / "package.tar.gz"
            await self._fetch(package_hash, archive)
            await asyncio.to_thread(packages.unpack, archive, unfinished / "code")
            archive.unlink()
            for name in ("home", "tmp"):
                (unfinished / name).mkdir(mode=0o700)
            unfinished.rename(place.folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)

    async def _fetch(self, package_hash: str, archive: pathlib.Path) -> None:
        descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            async for piece in self._blobs.stream(package_hash):
                await asyncio.to_thread(file.write, piece)


class DeployedRevision:
    """A revision that runs, is about to, or could not be started."""

    def __init__(
        self,
        deployment: Deployment,
        workshop: Workshop,
        timing: Timing,
        turn: asyncio.Semaphore,
        former: asyncio.Task[None] | None = None,
    ) -> None:
        """
        Args:
            turn: only so many programs load their code at once.
            former: stops an earlier process of the same, in the same folder: it is waited for.
        """
        self.deployment = deployment
        self.environment: pathlib.Path | None = None
        self.failed_at: float | None = None
        self.last_use = time.monotonic()
        self._problem: NotRunning | None = None
        self._workshop = workshop
        self._timing = timing
        self._supervisor: Supervisor | None = None
        self._starting = asyncio.create_task(self._start(turn, former))

    async def url(self) -> str:
        """Where it answers, once it does.

        Raises:
            NotRunning: it does not.
        """
        if not self._starting.done():
            await asyncio.wait({self._starting})
        if self._problem is not None:
            raise NotRunning(str(self._problem), self._problem.for_all)
        if self._starting.cancelled():
            raise NotRunning("it was stopped")
        supervisor = self._starting.result()
        if supervisor is None:
            raise RuntimeError("neither a program nor a reason why there is none")
        return await supervisor.url()

    async def stop(self, grace_seconds: float) -> None:
        """Ends the program, whatever it is at."""
        self._starting.cancel()
        await asyncio.wait({self._starting})
        if self._supervisor is not None:
            await self._supervisor.stop(grace_seconds)

    async def _start(self, turn: asyncio.Semaphore, former: asyncio.Task[None] | None) -> Supervisor | None:
        if former is not None:
            await asyncio.wait({former})
        try:
            return await self._launched(turn)
        except NotRunning as error:
            self._problem = error
        except errors.FixieError as error:
            self._problem = NotRunning(error.message.removesuffix("."), _UNPREPARED)
        except OSError as error:
            self._problem = NotRunning(f"its files cannot be written: {error.strerror}", _UNPREPARED)
        self.failed_at = time.monotonic()
        return None

    async def _launched(self, turn: asyncio.Semaphore) -> Supervisor:
        launch = await self._workshop.prepare(self.deployment)
        self.environment = launch.environment
        async with turn:
            self._supervisor = Supervisor(launch.command, self._timing, takes_socket=launch.takes_socket)
            await self._supervisor.settled(_SECONDS_OF_A_TURN)
        await self._supervisor.url()
        return self._supervisor
