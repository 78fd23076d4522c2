"""The `fixie` program (and `fixieai`, the same): the command tree, and how a command ends."""

import io
import os
import pathlib
import sys

import click

from fixieai.cli import exits, lazy
from fixieai.cli.lazy import Entry

_SESSION = "fixieai.cli.session.commands"
_AGENT = "fixieai.cli.agent.commands"

COMMANDS = {
    "demo": Entry(
        "fixieai.cli.demo.commands:demo", "Shows two agents at work, with nothing set up and nothing kept."
    ),
    "init": Entry("fixieai.cli.agent.init:init_agent", "Creates an agent.yaml file."),
    "deploy": Entry("fixieai.cli.agent.deploy:deploy_agent", "Deploy the current agent."),
    "publish": Entry("fixieai.cli.agent.publishing:publish_agent", "Make the current agent public."),
    "unpublish": Entry("fixieai.cli.agent.publishing:unpublish_agent", "Make the current agent not public."),
    "serve": Entry("fixieai.cli.agent.serve:serve_agent", "Serve the current agent locally."),
    "console": Entry("fixieai.cli.session.converse:new", "Creates a new session and opens it."),
    "query": Entry("fixieai.cli.session.converse:query", "Runs a single query and exit."),
    "session": Entry(f"{_SESSION}:session", "Session-related commands."),
    "agent": Entry(f"{_AGENT}:agent", "Agent-related commands."),
    "organization": Entry("fixieai.cli.organization.commands:organization", "Organisation-related commands."),
    "auth": Entry("fixieai.cli.auth.commands:auth", "Authorizes `fixie` to access Fixie platform."),
    "user": Entry("fixieai.cli.auth.commands:user", "Displays information on the authenticated user."),
    "platform": Entry("fixieai.cli.platform.commands:platform", "Runs the platform on this machine."),
}

fixie = lazy.group("fixie", "Command-line interface to the Fixie platform.", COMMANDS)
fixie.context_settings = {"help_option_names": ["-h", "--help"]}
fixie = click.version_option(package_name="fixieai", prog_name="fixie")(fixie)


def main() -> None:
    """Runs the command line in `sys.argv` and exits. See `exits` for the exit codes."""
    if sys.stdin is None:  # closed: nobody answers, and no file or socket of ours takes its number
        sys.stdin = pathlib.Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a question mark, and the command goes on.
        if isinstance(stream, io.TextIOWrapper):  # None where the stream was closed
            stream.reconfigure(errors="replace")
    color = False if os.environ.get("NO_COLOR") else None
    sys.exit(exits.code_of(lambda: fixie.main(prog_name="fixie", standalone_mode=False, color=color)))


if __name__ == "__main__":
    main()
