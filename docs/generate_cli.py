"""Writes docs/cli.md from the commands themselves: `python docs/generate_cli.py`. A test compares the two."""

import inspect
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import click

from fixieai.cli.main import fixie

PAGE = pathlib.Path(__file__).with_name("cli.md")

_INTRODUCTION = """\
# Command line

`fixie` and `fixieai` are the same program. `--help` (or `-h`) works with every command.

Answers and lists go to standard output, everything about them (steps, errors) to standard error. In a pipe,
lists are separated by tabs and hold no colours.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | it failed; standard error says why |
| 2 | the command line is wrong, or `-a` names an agent that does not exist |
| 11 | no API key, or one that the platform does not accept |
| 130 | Ctrl-C |

Commands find the platform by `FIXIE_API_URL` (`http://127.0.0.1:8180` unless set). The API key is looked for
in this order:

1. `FIXIE_API_KEY`;
2. the entry of `environment_auth_tokens` for this platform in the config file, `~/.config/fixie/config.yaml`
   or where `FIXIE_CONFIG_PATH` says;
3. for a platform on this machine, the file `api_key` in [its home](platform.md#the-home-folder);
4. `fixie_api_key` in the config file.

```yaml
fixie_api_key: eyJ...
environment_auth_tokens:
  - url: https://fixie.example.org
    auth_token: eyJ...
```

`fixie auth` writes what the config file needs, for the platform that `FIXIE_API_URL` names.

With `FIXIE_DEBUG=1` a command that fails shows its traceback. With `NO_COLOR=1` nothing is coloured.

## agent.yaml

`fixie init` writes this file; `fixie serve` and `fixie deploy` read it.

| key | meaning |
|---|---|
| `handle` | the agent's name on the platform: 1 to 64 letters, digits, hyphens, underscores |
| `entry_point` | `module:attribute` of an agent, or of a function that answers; `main:agent` unless given |
| `name`, `description`, `more_info_url` | what people read about it |
| `owner` | an [organisation](registry.md#organisations) whose agent it is; without it the agent is yours |
| `deployment_url` | where the agent is served by other means: `fixie deploy` sends no code then |
| `public` | deprecated: `true` makes the agent public when it is deployed; `fixie publish` does so too |

Other keys are kept and not used. A file `.env` beside it holds `NAME=value` lines, which become environment
variables of the agent unless they are set already.

## Serving and deploying

`fixie serve` runs the agent on this machine for as long as the command runs. The platform keeps its place
for 15 seconds at a time, and the command says every 5 seconds that it is still there. When it ends, or is
killed, what was current before is current again.

With `--tunnel` the agent has a public address at localhost.run, a service of others, for as long as the
command runs. Whoever knows the address reaches the agent, which answers calls of the platform alone.
Without the option a tunnel is opened only when the platform is not on this machine, and the agent listens
on this machine alone.

`fixie deploy` sends the folder to the platform, which runs it. Everything is sent but hidden files and
folders (a `.env` is sent), `__pycache__`, `node_modules` and virtual environments, and what is sent is
listed. Links are not sent: the command names the first one and ends. A folder with a `package.json`, and
without the Python file of the entry point, is an agent for Node.js, which `npm pack` packs.

## Unlike the original

Programs and scripts that use the original's command line find every command and option here. These differ
on purpose:

* `fixie serve` listens on 127.0.0.1, not to everybody, and opens a public tunnel only for a platform that
  is not on this machine, or with `--tunnel`.
* Without `--port` it takes a free port when 8181 is taken.
* `fixie deploy` and `fixie serve` leave alone whether an agent is public, unless `--public` says so. The
  original made it private.
* `-f` of `fixie agent revisions delete` is short for `--force`. In the original it was the opposite.
* What is made from the rest, `__pycache__`, `node_modules` and virtual environments, is not deployed, and
  `main.py` of a package listens on 127.0.0.1 unless `HOST` says otherwise.
* `fixie init` takes nothing from the network.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A command of the tree. `same_as` is the name under which it stood before."""

    name: str
    command: click.Command
    same_as: str | None = None

    @property
    def context(self) -> click.Context:
        return click.Context(self.command, info_name=self.name)


def commands(group: click.Group = fixie, name: str = "fixie") -> Iterator[Found]:
    """Every command, the shorter names first: `fixie init` is also `fixie agent init`."""
    seen: dict[click.Command, str] = {}
    for found in _tree(group, name):
        yield replace(found, same_as=seen.get(found.command))
        seen.setdefault(found.command, found.name)


def _tree(command: click.Command, name: str) -> Iterator[Found]:
    found = Found(name, command)
    yield found
    if isinstance(command, click.Group):
        for below in command.list_commands(found.context):
            made = command.get_command(found.context, below)
            if made is not None:
                yield from _tree(made, f"{name} {below}")


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *map(_section, commands())])


def _section(found: Found) -> str:
    parts = [f"## {found.name}"]
    if found.same_as is not None:
        return f"{parts[0]}\n\nThe same as {_link(found.same_as)}.\n"
    context, command = found.context, found.command
    parts.append(f"```text\n{' '.join([found.name, *command.collect_usage_pieces(context)])}\n```")
    parts.append(inspect.cleandoc(command.help or ""))
    options = [_row(record) for record in _records(context, command)]
    if options:
        parts.append("\n".join(["| option | meaning |", "|---|---|", *options]))
    if isinstance(command, click.Group):
        parts.append("\n".join(_listed(found, command)))
    return "\n\n".join(parts) + "\n"


def _records(context: click.Context, command: click.Command) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None and "--help" not in parameter.opts:
            yield record


def _row(record: tuple[str, str]) -> str:
    option, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
    return f"| `{option}` | {meaning} |"


def _listed(found: Found, group: click.Group) -> Iterator[str]:
    for name in group.list_commands(found.context):
        below = group.get_command(found.context, name)
        if below is not None:
            yield f"* {_link(f'{found.name} {name}')}: {below.get_short_help_str(200)}"


def _link(name: str) -> str:
    return f"[`{name}`](#{name.replace(' ', '-')})"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
