"""`fixie organization list`, `create` and `delete`."""

import click

from fixieai.cli import output
from fixieai.client.client import FixieClient


@click.command("list", short_help="Lists the organisations you are a member of.")
def list_organizations() -> None:
    """Lists the organisations you are a member of: handle, your role, age, name.

    In a pipe the columns are separated by tabs.
    """
    rows = [
        (found["handle"], found["role"], output.age(found["created"]), found["name"] or "")
        for found in FixieClient().get_organizations()
    ]
    output.table(("ORGANISATION", "ROLE", "AGE", "NAME"), rows)


@click.command(short_help="Creates an organisation.")
@click.argument("handle")
@click.option("--name", help="What people read.")
def create(handle: str, name: str | None) -> None:
    """Creates the organisation HANDLE, which you own.

    `owner: HANDLE` in an agent.yaml makes an agent the organisation's: `HANDLE/agent`.
    """
    made = FixieClient().create_organization(handle, name)
    output.say(f"Created {made['handle']}")
    output.hint(
        f"To have more members: fixie organization members add {made['handle']} USERNAME\n"
        f"For an agent of it, write into its agent.yaml: owner: {made['handle']}",
        err=True,
    )


@click.command(short_help="Deletes an organisation that has no agents.")
@click.argument("handle")
@click.option("--force", "-f", is_flag=True, help="Do not ask.")
def delete(handle: str, force: bool) -> None:
    """Deletes the organisation HANDLE, which must have no agents. The handle is not given out again.

    Asks before, at a terminal.
    """
    client = FixieClient()
    if not force:
        output.confirm(f"Delete the organisation {handle}?")
    client.delete_organization(handle)
    output.say(f"Deleted {handle}")
