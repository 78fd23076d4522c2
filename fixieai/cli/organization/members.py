"""`fixie organization members`."""

import click

from fixieai.cli import output
from fixieai.client.client import FixieClient


@click.command("list", short_help="Lists the members of an organisation.")
@click.argument("handle")
def list_members(handle: str) -> None:
    """Lists the members of the organisation HANDLE: username, role, since when.

    In a pipe the columns are separated by tabs.
    """
    rows = [
        (member["username"], member["role"], output.age(member["created"]))
        for member in FixieClient().get_organization_members(handle)
    ]
    output.table(("MEMBER", "ROLE", "SINCE"), rows)


@click.command(short_help="Makes somebody a member, or changes what they may do.")
@click.argument("handle")
@click.argument("username")
@click.option("--owner", is_flag=True, help="May say who is a member, and delete the organisation.")
def add(handle: str, username: str, owner: bool) -> None:
    """Makes USERNAME a member of the organisation HANDLE, who may change its agents.

    Also changes what a member may do: with --owner an owner, without it no owner.
    """
    FixieClient().set_organization_member(handle, username, "owner" if owner else "member")
    output.say(f"{username} is {'an owner' if owner else 'a member'} of {handle}")


@click.command(short_help="Removes a member, or lets you leave.")
@click.argument("handle")
@click.argument("username")
def remove(handle: str, username: str) -> None:
    """Removes USERNAME from the organisation HANDLE. Owners remove anybody; everybody may leave."""
    FixieClient().remove_organization_member(handle, username)
    output.say(f"{username} is no longer a member of {handle}")
