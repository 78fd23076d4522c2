"""How a package is run: what is in it decides."""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fixieai import errors
from fixieai.platform.deployments import environments, logs, processes
from fixieai.platform.deployments.environments import Environments, Wanted
from fixieai.platform.deployments.packages import Environment
from fixieai.platform.deployments.processes import Command

_BOOTSTRAP = "fixieai.cli.agent.deployed"
_NPM_OPTIONS = ("--omit=dev", "--no-audit", "--no-fund")
_INSTALLING = ".installing"
_LARGEST_JSON = 1024 * 1024
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of one revision on this machine: its code, and what it may write to."""

    folder: pathlib.Path
    log: pathlib.Path

    @property
    def code(self) -> pathlib.Path:
        return self.folder / "code"

    def variables(self, agent_id: str, platform: Mapping[str, str]) -> dict[str, str]:
        """All that a program of this revision finds in its environment, but HOST and PORT."""
        return {
            **platform,
            "FIXIE_ALLOWED_AGENT_ID": agent_id,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": _SYSTEM_PATH,
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONNOUSERSITE": "1",
        }


@dataclass(frozen=True, slots=True)
class Launch:
    """See `Supervisor`. `environment` is the virtual environment's folder, if there is one."""

    command: Command
    takes_socket: bool
    environment: pathlib.Path | None = None


def check_machine(environment: str) -> Environment:
    """Raises UnprocessableContent when this machine cannot run such packages."""
    if environment == "PYTHON":
        return "PYTHON"
    if environment != "NODEJS":
        raise errors.UnprocessableContent("environment: must be PYTHON or NODEJS")
    if not (shutil.which("node") and shutil.which("npm")):
        raise errors.UnprocessableContent(
            "This platform cannot run NODEJS packages: `node` and `npm` are not installed on its machine."
        )
    return "NODEJS"


async def prepare_python(code: pathlib.Path, wanted: Wanted, made: Environments) -> Launch:
    """Our own bootstrap where there is an agent.yaml, the package's own `main.py` otherwise."""
    folder = next((place for place in (code / "agent", code) if (place / "agent.yaml").is_file()), None)
    has_requirements = folder is not None and (folder / environments.FILE_NAME).is_file()
    wanted = replace(wanted, folder=folder if folder and has_requirements else code)
    environment = await made.make(wanted)
    python = environments.python_of(environment)
    variables = {
        **wanted.command.variables,
        "VIRTUAL_ENV": str(environment),
        "PATH": f"{environment / 'bin'}:{_SYSTEM_PATH}",
    }
    # -P: a file of the agent's is not taken for a module that fixieai needs.
    arguments = (python, "-P", "-m", _BOOTSTRAP) if folder else (python, "main.py")
    command = replace(wanted.command, arguments=arguments, variables=variables, folder=folder or code)
    return Launch(command, takes_socket=folder is not None, environment=environment)


async def prepare_node(code: pathlib.Path, wanted: Wanted) -> Launch:
    """`npm start` where the package has such a script, or else `node` with its main file.

    Raises:
        AgentUnavailable: package.json cannot be read, or what it depends on cannot be installed.
    """
    folder = code / "package" if (code / "package").is_dir() else code
    described = _package_json(folder / "package.json")
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise errors.AgentUnavailable("`node` and `npm` are no longer installed on the platform's machine.")
    variables = {
        **wanted.command.variables,
        "PATH": os.pathsep.join([str(pathlib.Path(node).parent), _SYSTEM_PATH]),
        "NODE_ENV": "production",
        "NODE_OPTIONS": f"--max-old-space-size={wanted.command.limits.memory_mib * 3 // 4}",
        "npm_config_update_notifier": "false",
    }
    command = replace(wanted.command, variables=variables, folder=folder)
    if described.get("dependencies") and not _has_modules(folder):
        await _npm_install(replace(command, arguments=(npm, "install", *_NPM_OPTIONS)), wanted.seconds)
    scripts = described.get("scripts")
    if isinstance(scripts, dict) and "start" in scripts:
        return Launch(replace(command, arguments=(npm, "start", "--silent")), takes_socket=False)
    main = described.get("main")
    file = main if isinstance(main, str) and main else "index.js"
    return Launch(replace(command, arguments=(node, "--", file)), takes_socket=False)


def _has_modules(folder: pathlib.Path) -> bool:
    return (folder / "node_modules").is_dir() and not (folder / _INSTALLING).exists()


async def _npm_install(command: Command, seconds: float) -> None:
    marker = command.folder / _INSTALLING
    if marker.exists():  # it was cut off
        await asyncio.to_thread(shutil.rmtree, command.folder / "node_modules", ignore_errors=True)
    marker.touch()
    ending = await processes.run(command, seconds)
    if ending.code != 0:
        said = await asyncio.to_thread(logs.last_error, command.log)
        raise errors.AgentUnavailable(f"The dependencies could not be installed: {said or ending.text}.")
    marker.unlink()


def _package_json(path: pathlib.Path) -> dict[str, object]:
    described = None
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if path.stat().st_size <= _LARGEST_JSON:
            described = json.loads(path.read_text("utf-8"))
    if not isinstance(described, dict):
        raise errors.AgentUnavailable("package.json of the package is not a JSON object.")
    return described
