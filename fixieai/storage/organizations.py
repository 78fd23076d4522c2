"""Organisations: they own agents as users do, share the users' name space, and have users as members."""

from dataclasses import dataclass
from typing import Literal

from fixieai import errors
from fixieai.storage import ids, statements, timestamps
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("organizations")

Role = Literal["owner", "member"]
OWNER: Role = "owner"


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation that a user is a member of; `role` is that user's."""

    id: int
    handle: str
    name: str | None
    role: str
    created: str


@dataclass(frozen=True, slots=True)
class Member:
    """`role` is "owner" (may change who is a member) or "member"; `user_id` is the cursor of listings."""

    username: str
    role: str
    created: str
    user_id: int


def create(transaction: Transaction, user_id: int, handle: str, name: str | None) -> Organization:
    """A new organisation, with the user as its owner.

    Raises:
        Conflict: a user or an organisation has that name, or the user was removed.
    """
    now = timestamps.now()
    params: Params = {"id": ids.new_id(), "handle": handle, "name": name, "now": now, "user_id": user_id}
    if not transaction.execute(_SQL["insert"], params):
        raise errors.Conflict(f"The name {handle!r} is taken.")
    params = {"organization_id": params["id"], "user_id": user_id, "role": OWNER, "now": now}
    transaction.execute(_SQL["put_member"], params)
    return get(transaction, user_id, handle)


def get(transaction: Transaction, user_id: int, handle: str) -> Organization:
    """Raises NotFound: the user is a member of no such organisation."""
    row = transaction.row(_SQL["get"], {"user_id": user_id, "handle": handle})
    if row is None:
        raise errors.NotFound(f"You are a member of no organisation {handle!r}.")
    return Organization(*row)


def locked(transaction: Transaction, user_id: int, handle: str) -> Organization:
    """As `get`, and as it is now: until the transaction ends nobody else changes who is in it.

    For who asks what somebody may do, before it is done.
    """
    transaction.execute(_SQL["lock"], {"organization_id": get(transaction, user_id, handle).id})
    return get(transaction, user_id, handle)


def page(transaction: Transaction, user_id: int, after: str | None, limit: int) -> list[Organization]:
    """The organisations that the user is a member of, the oldest first.

    Raises:
        UnprocessableContent: `after` is no id.
    """
    params: Params = {"user_id": user_id, "after": ids.cursor(after, 0), "limit": limit}
    return [Organization(*row) for row in transaction.rows(_SQL["page"], params)]


def members(
    transaction: Transaction, organization: Organization, after: str | None, limit: int
) -> list[Member]:
    """Its members, the oldest users first."""
    params: Params = {"organization_id": organization.id, "after": ids.cursor(after, 0), "limit": limit}
    return [Member(*row) for row in transaction.rows(_SQL["members"], params)]


def put_member(transaction: Transaction, organization: Organization, username: str, role: Role) -> None:
    """Adds a member, or changes their role.

    Raises:
        NotFound: there is no such user.
        Conflict: nobody would be its owner any more.
    """
    params: Params = {
        "organization_id": organization.id,
        "user_id": _user_id(transaction, username),
        "role": role,
        "now": timestamps.now(),
    }
    transaction.execute(_SQL["lock"], {"organization_id": organization.id})
    transaction.execute(_SQL["put_member"], params)
    _check_owner_is_left(transaction, organization)


def remove_member(transaction: Transaction, organization: Organization, username: str) -> None:
    """Raises NotFound when there is no such member, Conflict when nobody would be its owner any more."""
    params: Params = {"organization_id": organization.id, "user_id": _user_id(transaction, username)}
    transaction.execute(_SQL["lock"], {"organization_id": organization.id})
    if not transaction.execute(_SQL["remove_member"], params):
        raise errors.NotFound(f"{username!r} is no member of {organization.handle!r}.")
    _check_owner_is_left(transaction, organization)


def has_other_owner(transaction: Transaction, organization: Organization, user_id: int) -> bool:
    """Whether it would still be owned without that user."""
    params: Params = {"organization_id": organization.id, "user_id": user_id}
    return transaction.row(_SQL["another_owner"], params) is not None


def delete(transaction: Transaction, organization: Organization) -> None:
    """The name stays taken: what agents of that name keep for people is for nobody else's agents.

    Raises:
        Conflict: it owns agents.
    """
    params: Params = {"organization_id": organization.id}
    if transaction.row(_SQL["has_agents"], params):
        raise errors.Conflict("This organisation owns agents. Delete these first.")
    transaction.execute(_SQL["remove_members"], params)
    transaction.execute(_SQL["remove"], {**params, "now": timestamps.now()})


def owner_id(transaction: Transaction, user_id: int, owner: str) -> int:
    """The id of an owner whose agents the user may change: the user, or an organisation of theirs.

    Raises:
        NotFound: there is none of that name.
    """
    row = transaction.row(_SQL["owner_id"], {"user_id": user_id, "owner": owner})
    if row is None:
        raise errors.NotFound(f"{owner!r} is neither your name nor an organisation that you are a member of.")
    return int(row[0])


def _user_id(transaction: Transaction, username: str) -> int:
    row = transaction.row(_SQL["user_id"], {"username": username})
    if row is None:
        raise errors.NotFound(f"There is no user {username!r}.")
    return int(row[0])


def _check_owner_is_left(transaction: Transaction, organization: Organization) -> None:
    ((owners,),) = transaction.rows(_SQL["owners"], {"organization_id": organization.id})
    if not owners:
        raise errors.Conflict("An organisation has an owner. Make another member its owner first.")
