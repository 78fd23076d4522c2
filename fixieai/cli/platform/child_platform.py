"""A platform started by a command for as long as it runs."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import IO

import click

from fixieai import constants, errors
from fixieai.agents import registration
from fixieai.cli import processes

_START_SECONDS = 60.0


@contextlib.contextmanager
def started(variables: Mapping[str, str], *arguments: str, log: IO[bytes] | None = None) -> Iterator[str]:
    """Runs `fixie platform serve` with `arguments`; gives its address when it is ready.

    Raises:
        ServiceUnavailable: it did not start; why is on standard error or in `log`.
    """
    command = ("fixieai.cli.main", "platform", "serve", *arguments)
    with processes.Child(command, variables, log=log, quiet=True) as child:
        address = child.wait_until_ready(_START_SECONDS)
        if address is None:
            raise errors.ServiceUnavailable("The platform did not start.")
        yield address


@contextlib.contextmanager
def found_or_started(variables: Mapping[str, str]) -> Iterator[str]:
    """The address of the platform to serve agents for.

    That is the one `FIXIE_API_URL` names; without that variable the one running on this machine, and
    if none is, one that is started now.
    """
    named = variables.get("FIXIE_API_URL")
    if named:
        yield named.rstrip("/")
    elif registration.is_there(constants.LOCAL_API_URL):
        yield constants.LOCAL_API_URL
    else:
        with started(variables) as address:
            click.echo(f"Started a platform at {address}; it ends with this command.")
            yield address
