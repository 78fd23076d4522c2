"""Organisations: owners of agents that are not one person."""

from collections.abc import Iterator
from typing import Any, Literal

from fixieai.client import connection

Role = Literal["owner", "member"]


class OrganizationConnection(connection.PlatformConnection):
    """A connection that also knows organisations, by their handles. One sees those one is a member of."""

    def get_organizations(self) -> Iterator[dict[str, Any]]:
        """The organisations the user is a member of, the oldest first: `handle`, `name`, `role`, `created`.

        `role` is the user's: "owner" (says who is a member) or "member". Both may change its agents.
        """
        return self.get_all(f"{self.url}/api/organizations", "organizations")

    def create_organization(self, handle: str, name: str | None = None) -> dict[str, Any]:
        """A new organisation, as in `get_organizations`; the user is its owner.

        Its agents are `handle/agent`. `name` is what people read, 200 characters at most.

        Raises:
            UnprocessableContent: the handle cannot be one; the message says which can.
            Conflict: a user or an organisation has that handle.
        """
        return dict(self.post(f"{self.url}/api/organizations", {"handle": handle, "name": name}))

    def delete_organization(self, handle: str) -> None:
        """Deletes an organisation that has no agents. The handle is not given out again.

        Raises:
            NotFound: the user is a member of none such.
            Forbidden: the user does not own it.
            Conflict: it owns agents: delete these first.
        """
        self.delete(self._organization_url(handle))

    def get_organization_members(self, handle: str) -> Iterator[dict[str, Any]]:
        """The members: `username`, `role`, `created` (when they became one).

        Raises:
            NotFound: the user is a member of none such.
        """
        return self.get_all(self._organization_url(handle), "members")

    def set_organization_member(self, handle: str, username: str, role: Role = "member") -> None:
        """Makes somebody a member, or gives a member that role.

        Raises:
            NotFound: the user is a member of none such, or there is nobody of that name.
            Forbidden: the user does not own it.
            Conflict: nobody would own it any more.
        """
        self.put(self._organization_url(handle, "members", username), {"role": role})

    def remove_organization_member(self, handle: str, username: str) -> None:
        """Owners remove anybody, and everybody may leave. What they did there stays.

        Raises:
            NotFound: the user is a member of none such, or `username` is none.
            Forbidden: the user does not own it, and names somebody else.
            Conflict: nobody would own it any more.
        """
        self.delete(self._organization_url(handle, "members", username))

    def _organization_url(self, *segments: str) -> str:
        return f"{self.url}/api/organizations/{connection.quoted(*segments)}"
