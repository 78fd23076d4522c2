"""The virtual environment of an agent that is served with `--venv`: what its requirements.txt names."""

import importlib.util
import pathlib
import subprocess
import sys

import click

from fixieai import errors
from fixieai.platform.deployments import environments

FOLDER = ".fixie.venv"
_STAMP = "requirements-installed"
_LINES = ".requirements-without-fixieai.txt"


def python_of(folder: pathlib.Path) -> str:
    """The interpreter for the agent in `folder`, with its requirements installed, now if they changed.

    `fixieai` is the one that is running, whatever the requirements say of it.

    Raises:
        ConfigurationError: they cannot be installed; pip has said why.
    """
    environment = folder.resolve() / FOLDER
    lines = environments.requirements(folder / environments.FILE_NAME)
    wanted = "\n".join([sys.version, *lines])
    stamp = environment / _STAMP
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        click.echo(f"Making the virtual environment {environment}", err=True)
        environments.create(environment)
        if lines:
            _install(folder, environment, lines)
        stamp.write_text(wanted, "utf-8")
    return environments.python_of(environment)


def present_python_of(folder: pathlib.Path) -> str:
    """The interpreter of the environment that was made for the agent in `folder`; without one, this one."""
    environment = folder.resolve() / FOLDER
    return environments.python_of(environment) if (environment / _STAMP).exists() else sys.executable


def _install(folder: pathlib.Path, environment: pathlib.Path, lines: list[str]) -> None:
    if importlib.util.find_spec("pip") is None:
        raise errors.ConfigurationError("There is no pip here: `python -m ensurepip` adds it.")
    file = folder / _LINES  # beside the original: lines like `-r more.txt` lead on from there
    file.write_text("\n".join([*lines, ""]), "utf-8")
    command = [sys.executable, "-m", "pip", "--python", environments.python_of(environment), "install"]
    options = ["--no-input", "--disable-pip-version-check", "--quiet", "-r", file.name]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words; what is installed is the author's to say
            [*command, *options], cwd=folder, stdout=sys.stderr, check=False
        )
    finally:
        file.unlink()
    if done.returncode != 0:
        raise errors.ConfigurationError(
            f"What {folder / environments.FILE_NAME} names could not be installed."
        )
