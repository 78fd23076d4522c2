"""Groups whose commands are imported when they are run: `--help` reads a table, not the program."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: `module:attribute`, and the line that `--help` shows for it."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """A group whose commands are a table of `Entry`; the order of the table is the order shown."""

    entries: Mapping[str, Entry] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])


def group(
    name: str, help_text: str, entries: Mapping[str, Entry], *, default: str | None = None
) -> LazyGroup:
    """A lazy group; `default` names the command that the bare group runs (None: it shows its help)."""

    @click.pass_context
    def run_default(ctx: click.Context) -> None:
        if default is not None and ctx.invoked_subcommand is None:
            command = made.get_command(ctx, default)
            if command is not None:
                ctx.invoke(command)

    made = LazyGroup(name, callback=run_default, help=help_text, invoke_without_command=default is not None)
    made.entries = entries
    return made
