"""Every command of the original command line is there, with its arguments and options, and what they mean.

`original_commands.txt` is the original's own list of them.
"""

import pathlib
import re
from dataclasses import dataclass, field

import click
import pytest

from fixieai.cli import main

TREE = pathlib.Path(__file__).with_name("original_commands.txt").read_text("utf-8")
_OPTION = re.compile(r"(?P<names>\S+) <(?P<about>[^>]*)> default=(?P<default>.*)")
# What is another one on purpose; docs/cli.md says why.
OTHER_DEFAULTS = {
    "--host": "127.0.0.1",  # the original listened to everybody
    "--port": None,  # 8181, or a free one where that is taken
    "--tunnel": None,  # the original opened a public address unless told not to
}


@dataclass
class Command:
    path: tuple[str, ...]
    arguments: list[str] = field(default_factory=list)
    options: list[re.Match[str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return " ".join(self.path) or "fixie"


def original_commands() -> list[Command]:
    found: list[Command] = []
    for line in TREE.splitlines():
        if not line.startswith(" "):
            found.append(Command(tuple(line.partition("   ")[0].split()[1:])))
        elif option := _OPTION.fullmatch(line.strip()):
            found[-1].options.append(option)
        else:
            found[-1].arguments.append(line.strip())
    return found


def command_at(path: tuple[str, ...]) -> click.Command:
    found: click.Command = main.fixie
    for name in path:
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), name)
        assert below is not None, path
        found = below
    return found


COMMANDS = original_commands()


@pytest.mark.parametrize("original", COMMANDS, ids=lambda original: original.id)
def test_the_command_is_there_with_its_arguments(original):
    command = command_at(original.path)
    ours = [
        parameter.make_metavar(click.Context(command))
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    ]
    assert ours == original.arguments


def _options() -> list[tuple[Command, re.Match[str]]]:
    return [(command, option) for command in COMMANDS for option in command.options]


@pytest.mark.parametrize(
    ("original", "option"),
    _options(),
    ids=[f"{command.id} {option['names']}" for command, option in _options()],
)
def test_the_option_is_there_and_means_what_it_meant(original, option):
    names, _, opposite = option["names"].partition("/no:")
    command = command_at(original.path)
    (ours,) = [one for one in command.params if names.split("/")[0] in one.opts]
    assert isinstance(ours, click.Option)
    assert set(names.split("/")) <= set(ours.opts)
    about = option["about"]
    assert ours.is_flag == (about == "flag")
    assert ours.required == ("required" in about)
    assert ours.multiple == ("multiple" in about)
    assert ours.nargs == (2 if "x2" in about else 1)
    if opposite == "-f":  # the original's defect: -f was the opposite of --force
        assert "-f" in ours.opts
    elif opposite:
        assert opposite in ours.secondary_opts


@pytest.mark.parametrize(
    ("original", "option"),
    _options(),
    ids=[f"{command.id} {option['names']}" for command, option in _options()],
)
def test_what_is_not_said_is_what_it_was(original, option):
    name = option["names"].split("/")[0]
    (ours,) = [one for one in command_at(original.path).params if name in one.opts]
    default = ours.get_default(click.Context(command_at(original.path)))
    default = default if isinstance(default, str | int) else None  # click has a mark for "not given"
    if name in OTHER_DEFAULTS:
        assert default == OTHER_DEFAULTS[name]
    else:
        # A flag that is not given is no, whether it says so or says nothing; so is a list that is empty.
        assert str(default or None) == option["default"].replace("False", "None")


def test_the_list_is_read_whole():
    assert len(COMMANDS) == 28
    assert sum(len(command.options) for command in COMMANDS) == TREE.count("default=")
