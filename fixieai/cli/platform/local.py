"""`fixie platform serve` and `fixie platform key`."""

import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

import click

from fixieai import credentials
from fixieai.cli import lifeline, processes
from fixieai.platform import serving

DEFAULT_PORT = 8180
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _home_option(command: _Command) -> _Command:
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=pathlib.Path),
        help="The folder of the platform's data. Default: FIXIE_HOME, or the user's data folder.",
    )(command)


@click.command(short_help="Serves the platform until it is stopped.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: any free one."
)
@_home_option
def serve(host: str, port: int, home: pathlib.Path | None) -> None:
    """Serves the platform until it is stopped with Ctrl-C or SIGTERM.

    Prints its address to standard output when it is ready.
    """
    folder = home or credentials.home_path()

    def ready(address: str) -> None:
        click.echo(address)
        lifeline.tell_ready(address)
        click.echo(f"The platform is ready. Its data is in {folder}. Ctrl-C stops it.", err=True)

    with processes.stopped_by_signals():
        serving.serve(host, port, folder, ready)


@click.command(short_help="Prints the local user's API key.")
@_home_option
def key(home: pathlib.Path | None) -> None:
    """Prints the API key of the local user and nothing else; makes one when there is none yet."""
    click.echo(serving.local_key(home or credentials.home_path()))
