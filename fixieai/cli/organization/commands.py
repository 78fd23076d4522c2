"""The commands below `fixie organization`."""

from fixieai.cli import lazy
from fixieai.cli.lazy import Entry

_ORGANIZATIONS = "fixieai.cli.organization.organizations"
_MEMBERS = "fixieai.cli.organization.members"

members = lazy.group(
    "members",
    "Who belongs to an organisation.",
    {
        "list": Entry(f"{_MEMBERS}:list_members", "Lists the members of an organisation."),
        "add": Entry(f"{_MEMBERS}:add", "Makes somebody a member, or changes what they may do."),
        "remove": Entry(f"{_MEMBERS}:remove", "Removes a member, or lets you leave."),
    },
)

organization = lazy.group(
    "organization",
    "Organisation-related commands. `fixie organization` alone lists yours.",
    {
        "list": Entry(f"{_ORGANIZATIONS}:list_organizations", "Lists the organisations you are a member of."),
        "create": Entry(f"{_ORGANIZATIONS}:create", "Creates an organisation."),
        "delete": Entry(f"{_ORGANIZATIONS}:delete", "Deletes an organisation that has no agents."),
        "members": Entry(f"{__name__}:members", "Who belongs to an organisation."),
    },
    default="list",
)
