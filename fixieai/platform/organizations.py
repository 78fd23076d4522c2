"""Organisations, as their members see and change them."""

from fixieai import errors
from fixieai.platform import owner_names
from fixieai.platform.auth import Caller
from fixieai.storage import organizations
from fixieai.storage.database import Database
from fixieai.storage.organizations import Member, Organization, Role
from fixieai.storage.transaction import Transaction

_LONGEST_NAME = 200


class Organizations:
    """An organisation that one is no member of does not exist here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, caller: Caller, after: str | None, limit: int) -> list[Organization]:
        """Those that the caller is a member of, the oldest first; `after` is the id of the last one seen."""
        return await self._database.read(organizations.page, caller.user_id, after, limit)

    async def create(self, caller: Caller, handle: str, name: str | None) -> Organization:
        """A new organisation, which the caller owns.

        Raises:
            UnprocessableContent: the handle or the name cannot be one.
            Conflict: a user or an organisation has that handle.
        """
        owner_names.check("handle", handle)
        if len(name or "") > _LONGEST_NAME:
            raise errors.UnprocessableContent(f"name: more than {_LONGEST_NAME} characters")
        return await self._database.write(organizations.create, caller.user_id, handle, name)

    async def find(self, caller: Caller, handle: str) -> Organization:
        """Raises NotFound: the caller is a member of none such."""
        return await self._database.read(organizations.get, caller.user_id, handle)

    async def members(self, caller: Caller, handle: str, after: str | None, limit: int) -> list[Member]:
        """Raises NotFound: the caller is a member of none such."""
        return await self._database.read(_members, caller.user_id, handle, after, limit)

    async def put_member(self, caller: Caller, handle: str, username: str, role: Role) -> None:
        """Adds a member, or changes their role.

        Raises:
            NotFound: the caller is a member of none such, or there is no such user.
            Forbidden: the caller does not own it.
            Conflict: nobody would own it any more.
        """
        await self._database.write(_put_member, caller.user_id, handle, username, role)

    async def remove_member(self, caller: Caller, handle: str, username: str) -> None:
        """Owners remove anybody; everybody may leave.

        Raises:
            NotFound: the caller is a member of none such, or there is no such member.
            Forbidden: the caller does not own it, and names somebody else.
            Conflict: nobody would own it any more.
        """
        is_leaving = username == caller.username
        await self._database.write(_remove_member, caller.user_id, handle, username, is_leaving=is_leaving)

    async def delete(self, caller: Caller, handle: str) -> None:
        """Raises NotFound, Forbidden as above; Conflict while it owns agents."""
        await self._database.write(_delete, caller.user_id, handle)


def _members(
    transaction: Transaction, user_id: int, handle: str, after: str | None, limit: int
) -> list[Member]:
    return organizations.members(transaction, organizations.get(transaction, user_id, handle), after, limit)


def _owned(transaction: Transaction, user_id: int, handle: str) -> Organization:
    organization = organizations.locked(transaction, user_id, handle)
    if organization.role != organizations.OWNER:
        raise errors.Forbidden("Only an owner of the organisation may do that.")
    return organization


def _put_member(transaction: Transaction, user_id: int, handle: str, username: str, role: Role) -> None:
    organizations.put_member(transaction, _owned(transaction, user_id, handle), username, role)


def _remove_member(
    transaction: Transaction, user_id: int, handle: str, username: str, *, is_leaving: bool
) -> None:
    find = organizations.locked if is_leaving else _owned
    organizations.remove_member(transaction, find(transaction, user_id, handle), username)


def _delete(transaction: Transaction, user_id: int, handle: str) -> None:
    organizations.delete(transaction, _owned(transaction, user_id, handle))
