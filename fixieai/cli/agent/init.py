"""`fixie init`: an agent to begin with. Everything comes with the package, nothing from the network."""

import dataclasses
import pathlib
import re
import shlex
import sys
from collections.abc import Callable
from typing import Any

import click

from fixieai.cli.agent import agent_config, templates
from fixieai.cli.agent.agent_config import AgentConfig

_REQUIREMENTS = "requirements.txt"


@click.command("init", short_help="Creates an agent.yaml file.")
@click.argument("path", required=False)
@click.option("--handle", help="The agent's name on the platform.")
@click.option("--description", help="What the agent does, in a sentence.")
@click.option("--entry-point", help="MODULE:ATTRIBUTE of the agent.  [default: main:agent]")
@click.option("--more-info-url", help="A page about the agent.")
@click.option("--requirement", multiple=True, help="A line for requirements.txt; may be repeated.")
def init_agent(
    path: str | None,
    handle: str | None,
    description: str | None,
    entry_point: str | None,
    more_info_url: str | None,
    requirement: tuple[str, ...],
) -> None:
    """Creates an agent.yaml file in PATH, a folder (default: this one) or the file itself.

    Asks for what no option says. Where the entry point's module does not exist yet, writes one: a small
    agent that rolls dice, ready to be served.
    """
    given = {"handle": handle, "description": description, "entry_point": entry_point}
    create(agent_config.path_of(path), {**given, "more_info_url": more_info_url}, requirement)


def load_or_create(file: pathlib.Path) -> AgentConfig:
    """The agent.yaml `file`; at a terminal, where there is none, one that is made now.

    Raises:
        UsageError: there is none.
        ConfigurationError: it cannot be read.
    """
    try:
        return agent_config.load(file)
    except FileNotFoundError:
        if sys.stdin.isatty() and click.confirm(f"There is no {file}. Create an agent there?", default=True):
            return create(file, {})
        raise click.UsageError(f"there is no {file}: `fixie init` creates one") from None


def create(
    file: pathlib.Path, given: dict[str, str | None], requirements: tuple[str, ...] = ()
) -> AgentConfig:
    """Writes the agent at `file`, with what is given, asking for the rest."""
    config = _asked(_present(file), given)
    folder = file.parent
    folder.mkdir(parents=True, exist_ok=True)
    agent_config.save(config, file)
    click.echo(f"Wrote {file}")
    code = templates.write_code(config, folder)
    if code:
        click.echo(f"Wrote {code}, an agent that rolls dice")
    if requirements:
        click.echo(f"Wrote {_write_requirements(folder / _REQUIREMENTS, requirements)}")
    where = "" if folder.resolve() == pathlib.Path.cwd() else f" {shlex.quote(str(folder))}"
    click.echo(f'Next: `fixie serve{where}`, and then `fixie query -a {config.handle} "Roll 2d20"`')
    return config


def _present(file: pathlib.Path) -> AgentConfig:
    try:
        return agent_config.load(file)
    except FileNotFoundError:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", file.resolve().parent.name).strip("-")[:64]
        return AgentConfig(name or "agent")


def _asked(present: AgentConfig, given: dict[str, str | None]) -> AgentConfig:
    questions: tuple[tuple[str, str, Callable[[str], str | None]], ...] = (
        ("handle", "Handle", agent_config.handle_problem),
        ("description", "Description", _no_problem),
        ("entry_point", "Entry point", agent_config.entry_point_problem),
        ("more_info_url", "More info URL", _url_problem),
    )
    values: dict[str, Any] = {}
    for key, label, problem_of in questions:
        value = given.get(key)
        problem = problem_of(value) if value is not None else None
        if problem:
            raise click.BadParameter(problem)
        values[key] = _ask(label, getattr(present, key), problem_of) if value is None else value
    return dataclasses.replace(present, **values)


def _ask(label: str, default: str, problem_of: Callable[[str], str | None]) -> str:
    while True:
        answer = _answer(label, default)
        problem = problem_of(answer)
        if problem is None:
            return answer
        if not sys.stdin.isatty():
            raise click.BadParameter(problem)
        click.echo(f"Not possible: {problem}.")


def _answer(label: str, default: str) -> str:
    """What the person answers; without a person, the next line of the input, or else the default."""
    if sys.stdin.isatty():
        return str(click.prompt(label, default=default, show_default=bool(default)))
    return sys.stdin.readline().strip() or default


def _no_problem(_text: str) -> None:
    return None


def _url_problem(url: str) -> str | None:
    return None if not url or re.fullmatch(r"https?://\S+", url) else f"{url!r} is not an http(s) URL"


def _write_requirements(file: pathlib.Path, wanted: tuple[str, ...]) -> pathlib.Path:
    present = file.read_text("utf-8").splitlines() if file.exists() else []
    lines = present + [line for line in wanted if line not in present]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file
