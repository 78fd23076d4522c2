"""`fixie platform users`: who may use this platform."""

import pathlib
from typing import Any

import click

from fixieai import credentials
from fixieai.cli import output
from fixieai.cli.platform import reaching
from fixieai.client.connection import quoted


@click.command(short_help="Adds somebody, and prints a link for them.")
@click.argument("name")
@click.option("--administrator", is_flag=True, help="May add and remove users, and make keys for them.")
@click.option("--first-name")
@click.option("--last-name")
@click.option("--email")
@reaching.home_option
def add(
    name: str,
    administrator: bool,
    first_name: str | None,
    last_name: str | None,
    email: str | None,
    home: pathlib.Path | None,
) -> None:
    """Adds somebody, and prints the link with which they choose a password.

    The link works once, for seven days.
    """
    body = {
        "username": name,
        "administrator": administrator,
        "firstName": first_name,
        "lastName": last_name,
        "email": email,
    }
    with reaching.administration(home) as connection:
        added = connection.post(f"{connection.url}/api/users", body)
    _show_invitation(added, f"{name} was added.")


@click.command(short_help="Prints a new link for somebody who forgot the password.")
@click.argument("name")
@reaching.home_option
def invite(name: str, home: pathlib.Path | None) -> None:
    """Prints a link with which somebody chooses a new password. The one before no longer works."""
    with reaching.administration(home) as connection:
        invited = connection.post(f"{connection.url}/api/users/{quoted(name)}/invitation")
    _show_invitation(invited, f"{name} can choose a new password.")


def _show_invitation(answer: dict[str, Any], said: str) -> None:
    url = str(answer["invitation"]["url"])
    output.hint(f"{said} Send them this link. It works once, for seven days:", err=True)
    click.echo(url)
    if credentials.is_local(url):
        output.hint(
            "On this machine only: to let others in, see FIXIE_PUBLIC_URL in the documentation.", err=True
        )


@click.command("list", short_help="Lists everybody.")
@reaching.home_option
def list_users(home: pathlib.Path | None) -> None:
    """Lists everybody who may use this platform."""
    with reaching.administration(home) as connection:
        rows = [_row(user) for user in connection.get_all(f"{connection.url}/api/users", "users")]
    output.table(("name", "", "signs in with", "e-mail", "added"), rows)


def _row(user: dict[str, Any]) -> tuple[str, ...]:
    way = "password" if user["hasPassword"] else "invited" if user["invitedUntil"] else "API keys"
    role = "administrator" if user["administrator"] else ""
    return user["username"], role, way, user["email"] or "", output.age(user["created"])


@click.command(short_help="Removes somebody, with all that is theirs.")
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@reaching.home_option
def remove(name: str, yes: bool, home: pathlib.Path | None) -> None:
    """Removes somebody: their agents, sessions, keys and what agents stored for them.

    The name is not given out again.
    """
    if not yes:
        click.confirm(f"Remove {name}, with all agents, sessions and keys that are theirs?", abort=True)
    with reaching.administration(home) as connection:
        connection.delete(f"{connection.url}/api/users/{quoted(name)}")
    output.hint(f"{name} was removed.", err=True)
