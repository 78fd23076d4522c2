"""Packages made of texts, and a home that runs them."""

import asyncio
import io
import pathlib
import tarfile
import time
from collections.abc import AsyncIterator, Callable, Mapping

import psutil
import pytest
from packaged_programs import becomes_true

from fixieai.platform.deployments.deployments import Deployments
from fixieai.platform.deployments.supervisor import Timing
from fixieai.platform.settings import DeploymentLimits, Settings
from fixieai.storage.blobs import open_blobs


def write_package(path: pathlib.Path, files: Mapping[str, str | bytes]) -> pathlib.Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            encoded = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(encoded)
            archive.addfile(member, io.BytesIO(encoded))
    return path


def processes_that_name(text: str) -> list[psutil.Process]:
    """Those whose folder, arguments or variables hold the text, but this one."""
    found = []
    for process in psutil.process_iter():
        try:
            said = [process.cwd(), *process.cmdline(), *process.environ().values()]
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            if is_alive and process.pid != psutil.Process().pid and text in " ".join(said):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _is_program(process: psutil.Process) -> bool:
    try:
        return not any("keeper.py" in argument for argument in process.cmdline())
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False


class Hosted:
    """Deployments of a home, and short ways to fill them."""

    def __init__(self, settings: Settings, timing: Timing) -> None:
        self.home = settings.home
        self._settings = settings
        self._timing = timing
        self._stored = 0
        self.begin_again()

    def begin_again(self) -> None:
        """As the next platform in the same home."""
        blobs = open_blobs(self.home / "blobs", {})
        self.deployments = Deployments(blobs, self._settings, self._timing)

    async def start(
        self, files: Mapping[str, str | bytes], environment: str = "PYTHON", revision_id: int = 1
    ) -> str:
        """Stores a package and starts it as local/agent."""
        package_hash = await self.store(files, environment)
        return await self.deployments.start(revision_id, "local/agent", package_hash, environment)

    async def store(self, files: Mapping[str, str | bytes], environment: str = "PYTHON") -> str:
        self._stored += 1
        path = write_package(self.home / f"package-{self._stored}.tar.gz", files)
        await self.deployments.checked(path, environment)
        return await self.deployments.store(path)

    async def log(self, revision_id: int = 1) -> str:
        return "\n".join(await self.deployments.logs(revision_id, 1_000))

    async def said(self, text: str) -> bool:
        """Whether the program prints that: it may answer before its keeper has kept what it printed."""
        until = time.monotonic() + 60
        while text not in await self.log():
            assert time.monotonic() < until, await self.log()
            await asyncio.sleep(0.02)
        return True

    @property
    def folders(self) -> list[pathlib.Path]:
        return sorted((self.home / "deployments" / "revisions").iterdir())

    @property
    def processes(self) -> list[psutil.Process]:
        """Programs that run, without their keepers."""
        return [process for process in processes_that_name(str(self.home)) if _is_program(process)]


@pytest.fixture
async def host(tmp_path: pathlib.Path) -> AsyncIterator[Callable[..., Hosted]]:
    """Makes deployments with the given timing and limits; they are closed, and leave nothing, at the end."""
    made: list[Hosted] = []

    def make(
        memory_mib: int = 512, processes: int = 64, public_url: str | None = None, **timing: float
    ) -> Hosted:
        home = tmp_path / f"home-{len(made)}"
        home.mkdir()
        limits = DeploymentLimits(memory_mib, processes)
        settings = Settings(home=home, public_url=public_url, deployments=limits, deploy_seconds=60)
        made.append(Hosted(settings, Timing(**timing)))
        return made[-1]

    yield make
    for hosted in made:
        await hosted.deployments.close()
        await becomes_true(lambda home=hosted.home: not processes_that_name(str(home)))
