"""`fixie platform serve` and `fixie platform key`."""

import pathlib

import click

from fixieai import credentials
from fixieai.cli import lifeline, processes
from fixieai.cli.platform import reaching
from fixieai.platform import serving

DEFAULT_PORT = 8180


@click.command(short_help="Serves the platform until it is stopped.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: any free one."
)
@reaching.home_option
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
@reaching.home_option
def key(home: pathlib.Path | None) -> None:
    """Prints the API key of the local user and nothing else; makes one when there is none yet."""
    click.echo(serving.local_key(home or credentials.home_path()))
