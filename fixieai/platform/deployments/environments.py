"""Virtual environments of agents: what one requires, and behind it the platform's own packages.

`fixieai` and what it needs are the platform's, found through a `.pth` file: nothing is installed for
an agent without other requirements. No two agents share an environment: what the code of one writes
there is not what the code of another runs.
"""

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import secrets
import shutil
import sys
import sysconfig
import venv
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace

from fixieai import errors
from fixieai.platform.deployments import logs, processes
from fixieai.platform.deployments.processes import Command

FILE_NAME = "requirements.txt"
_FILTERED = ".requirements-without-fixieai.txt"
_COMPLETE = "complete"
_KEPT = 20
_GONE = ".gone-"
_LARGEST_FILE = 1024 * 1024
_PLAIN_LENGTH = 200
_OURS = re.compile(r"fixieai\s*(?:$|[\[<>=!~;@(#\s])|.*#egg=fixieai\b", re.IGNORECASE)
_NAME_AND_VERSION = re.compile(r"[A-Za-z0-9][\w.-]*\s*(?:\[[\w\s,.-]*\])?\s*(?:[<>=!~;(][^/\\]*)?")
# Where the index is and how to reach it. They may hold the operator's password for it.
_INDEX_VARIABLES = re.compile(r"PIP_\w+|(?:HTTPS?|ALL|NO)_PROXY|SSL_CERT_(?:FILE|DIR)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An environment for one agent's code. `folder` is where its requirements.txt would be.

    `command` says how programs are run for this agent: its variables, limits and log.
    """

    agent_id: str
    package_hash: str
    folder: pathlib.Path
    command: Command
    seconds: float


class Environments:
    """Made when first wanted, kept for the next revision with the same requirements."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._locks: dict[pathlib.Path, asyncio.Lock] = {}

    async def make(self, wanted: Wanted) -> pathlib.Path:
        """The folder of an environment that has all that is wanted.

        Raises:
            AgentUnavailable: the requirements cannot be read or installed; the message says which.
            OSError: the folder cannot be written.
        """
        lines = await asyncio.to_thread(requirements, wanted.folder / FILE_NAME)
        folder = self._folder / _key(wanted, lines)
        async with self._locks.setdefault(folder, asyncio.Lock()):
            if not (folder / _COMPLETE).exists():
                await _to_its_end(asyncio.to_thread(create, folder))
                if lines:
                    await _install(wanted, folder, lines)
            (folder / _COMPLETE).touch()
        return folder

    async def prune(self, in_use: Iterable[pathlib.Path]) -> None:
        """Removes all but the newest 20, and those in use."""
        for folder, last_use in await asyncio.to_thread(self._old, set(in_use)):
            with contextlib.suppress(OSError):
                # Out of the way at once: somebody may want it while it is deleted, or does by now.
                if not self._is_being_made(folder) and _last_use(folder) == last_use:
                    gone = folder.rename(folder.with_name(f"{_GONE}{secrets.token_hex(8)}"))
                    await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)

    def _old(self, in_use: set[pathlib.Path]) -> list[tuple[pathlib.Path, float]]:
        """What may be removed, and when it was used last. What is left of a removal that broke off is."""
        free = [(folder, _last_use(folder)) for folder in self._folder.iterdir() if folder not in in_use]
        left = [each for each in free if each[0].name.startswith(_GONE)]
        whole = [each for each in free if each not in left]
        return left + sorted(whole, key=lambda each: each[1], reverse=True)[_KEPT:]

    def _is_being_made(self, folder: pathlib.Path) -> bool:
        return folder in self._locks and self._locks[folder].locked()


def python_of(folder: pathlib.Path) -> str:
    """The interpreter of an environment."""
    return str(folder / "bin" / "python")


def _last_use(folder: pathlib.Path) -> float:
    marker = folder / _COMPLETE
    return marker.stat().st_mtime if marker.exists() else 0.0


def requirements(path: pathlib.Path) -> list[str]:
    """The lines that say something, but those that name fixieai itself.

    Raises:
        AgentUnavailable: the file is not UTF-8, or larger than 1 MiB.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise errors.AgentUnavailable(f"{FILE_NAME} of the package is larger than {_LARGEST_FILE} bytes.")
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise errors.AgentUnavailable(f"{FILE_NAME} of the package is not UTF-8.") from None
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#") and not _OURS.match(line)]


def _key(wanted: Wanted, lines: list[str]) -> str:
    """Of the agent, its requirements and this Python; of the package, where lines may lead to its files."""
    is_plain = all(len(line) < _PLAIN_LENGTH and _NAME_AND_VERSION.fullmatch(line) for line in lines)
    parts = [wanted.agent_id, lines, sys.version, _shared_folders(), "" if is_plain else wanted.package_hash]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _shared_folders() -> list[str]:
    """Where fixieai is, and where what it needs is installed."""
    package = str(pathlib.Path(__file__).parents[3])
    return list(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), package]))


def create(folder: pathlib.Path) -> None:
    """Makes an environment in place of what is there, with this one's packages behind its own.

    Raises:
        OSError: the folder cannot be written.
    """
    venv.EnvBuilder(symlinks=True, clear=True).create(folder)
    folder.chmod(0o700)
    base = {"base": str(folder), "platbase": str(folder)}
    packages = pathlib.Path(sysconfig.get_path("purelib", "venv", base))
    (packages / "platform.pth").write_text("\n".join([*_shared_folders(), ""]), "utf-8")


async def _install(wanted: Wanted, folder: pathlib.Path, lines: list[str]) -> None:
    if importlib.util.find_spec("pip") is None:
        raise errors.AgentUnavailable(
            "The package has requirements, and this platform's Python has no pip to install them with "
            "(`python -m ensurepip` adds it)."
        )
    # Beside the original: lines like `-r more.txt` and `./wheels/...` lead on from there.
    (wanted.folder / _FILTERED).write_text("\n".join([*lines, ""]), "utf-8")
    options = ("--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar=off")
    pip = (sys.executable, "-m", "pip", "--python", python_of(folder), "install", *options, "-r", _FILTERED)
    command = replace(
        wanted.command,
        arguments=pip,
        folder=wanted.folder,
        variables={**_index_variables(os.environ), **wanted.command.variables},
    )
    ending = await processes.run(command, wanted.seconds)
    if ending.code != 0:
        said = await asyncio.to_thread(logs.last_error, wanted.command.log)
        raise errors.AgentUnavailable(f"The requirements could not be installed: {said or ending.text}.")


async def _to_its_end(work: Coroutine[object, object, None]) -> None:
    """Also when the caller is cancelled: a thread goes on, and nobody else may touch what it changes."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    finally:
        await asyncio.wait({task})


def _index_variables(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if _INDEX_VARIABLES.fullmatch(name)}
