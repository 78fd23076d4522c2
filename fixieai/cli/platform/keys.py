"""`fixie platform keys` and `fixie platform rotate-keys`."""

import pathlib

import click

from fixieai.cli import output
from fixieai.cli.platform import reaching
from fixieai.client.connection import quoted
from fixieai.platform.settings import LOCAL_USERNAME

_user_option = click.option("--user", "username", required=True, metavar="NAME", help="Whose.")


@click.command(short_help="Prints a new API key.")
@_user_option
@click.option("--name", default="key", show_default=True, help="What it is for.")
@reaching.home_option
def create(username: str, name: str, home: pathlib.Path | None) -> None:
    """Prints a new API key and nothing else. It is shown this once, and good until it is revoked."""
    with reaching.administration(home) as connection:
        made = connection.post(f"{connection.url}/api/users/{quoted(username)}/keys", {"name": name})
    click.echo(made["key"])


@click.command("list", short_help="Lists somebody's API keys.")
@click.option("--user", "username", default=LOCAL_USERNAME, show_default=True, metavar="NAME", help="Whose.")
@reaching.home_option
def list_keys(username: str, home: pathlib.Path | None) -> None:
    """Lists the API keys that are good: their ids, never the keys."""
    with reaching.administration(home) as connection:
        found = connection.get(f"{connection.url}/api/users/{quoted(username)}/keys")["keys"]
    rows = [
        (key["id"], key["name"], f"{output.age(key['created'])}", (key["expires"] or "")[:16])
        for key in found
    ]
    output.table(("id", "name", "created", "until"), rows)


@click.command(short_help="Ends an API key at once.")
@click.argument("key_id", metavar="ID")
@reaching.home_option
def revoke(key_id: str, home: pathlib.Path | None) -> None:
    """Ends the API key of that id, as `keys list` shows it."""
    with reaching.administration(home) as connection:
        connection.delete(f"{connection.url}/api/keys/{quoted(key_id)}")
    output.hint("The key was revoked.", err=True)


@click.command("rotate-keys", short_help="Makes a new key that signs API keys and query tokens.")
@reaching.home_option
def rotate(home: pathlib.Path | None) -> None:
    """Makes a new key that signs API keys and query tokens.

    It is published at once and signs five minutes later, so that no request fails. API keys that were
    given out before stay good.
    """
    with reaching.administration(home) as connection:
        made = connection.post(f"{connection.url}/api/signing-keys")
    click.echo(f"The key {made['kid']} signs from {made['signsFrom']} on.")
