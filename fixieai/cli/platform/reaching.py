"""The platform of this machine's home, for commands that administrate it: it need not run."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from fixieai import credentials
from fixieai.client.connection import PlatformConnection
from fixieai.platform import serving

_Command = TypeVar("_Command", bound=Callable[..., Any])


def home_option(command: _Command) -> _Command:
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=pathlib.Path),
        help="The folder of the platform's data. Default: FIXIE_HOME, or the user's data folder.",
    )(command)


@contextlib.contextmanager
def administration(home: pathlib.Path | None) -> Iterator[PlatformConnection]:
    """Speaks to it as its local user."""
    with serving.reached(home or credentials.home_path()) as found:
        connection = PlatformConnection(found.api_key, api_url=found.url)
        try:
            yield connection
        finally:
            connection.close()
