"""The page of the command line is what the commands say; commands that other pages name exist."""

import pathlib
import re
import shlex

import click
import pytest

from fixieai import testing
from fixieai.cli.main import fixie

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Where a person would type it: behind a prompt, or between backticks.
_COMMAND = re.compile(r"(?:^|\s)\$ (fixie .*)|`(fixie [^`]+)`|\$\((fixie [^)]*)\)", re.MULTILINE)

generate_cli = testing.load(ROOT / "docs" / "generate_cli.py")


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")

    assert page == generate_cli.page(), "run: python docs/generate_cli.py"


def commands_of(page: pathlib.Path) -> list[str]:
    found = _COMMAND.findall(page.read_text("utf-8"))
    return sorted({command for groups in found for command in groups if command})


def check(line: str) -> None:
    """Fails unless `line` is a command with options that it has."""
    command: click.Command = fixie
    for word in shlex.split(line)[1:]:
        context = click.Context(command)
        if isinstance(command, click.Group):
            below = command.get_command(context, word)
            assert below is not None or word.startswith("-"), f"{line}: no command {word}"
            command = below or command
        elif word.startswith("-"):
            options = [name for one in command.params for name in (*one.opts, *one.secondary_opts)]
            assert word in [*options, "--help", "-h"], f"{line}: no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page: pathlib.Path) -> None:
    for line in commands_of(page):
        check(line)


def test_commands_are_found_in_prose_and_in_consoles() -> None:
    assert "fixie demo" in commands_of(ROOT / "docs" / "index.md")
    assert "fixie platform key" in commands_of(ROOT / "docs" / "http.md")
    with pytest.raises(AssertionError, match="no command fly"):
        check("fixie agent fly")
    with pytest.raises(AssertionError, match="no option --fast"):
        check("fixie query --fast hello")
