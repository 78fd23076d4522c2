"""People, by the name they sign in with."""

from dataclasses import dataclass

from fixieai.storage import ids, statements, timestamps
from fixieai.storage.transaction import Params, Row, Transaction

_SQL = statements.load("users")
_LOCK_OUT = (
    _SQL["erase_api_keys"],
    _SQL["erase_password"],
    _SQL["erase_invitation"],
    _SQL["erase_authorizations"],
)
_ERASE = (
    *_LOCK_OUT,
    # The counts first: what is being stored is stored then, and goes along.
    _SQL["erase_user_storage_usage"],
    _SQL["erase_user_storage"],
    _SQL["erase_oauth_values"],
    _SQL["erase_oauth_flows"],
    _SQL["erase_usage"],
    _SQL["erase_usage_holds"],
    _SQL["erase_memberships"],
)


@dataclass(frozen=True, slots=True)
class User:
    """`time_zone` is an IANA name; None: the platform's own."""

    id: int
    username: str
    first_name: str | None
    last_name: str | None
    email: str | None
    time_zone: str | None
    created: str
    is_administrator: bool


@dataclass(frozen=True, slots=True)
class Account:
    """How a person signs in: `invited_until` is Unix seconds, None without an invitation."""

    user: User
    has_password: bool
    invited_until: int | None


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an administrator says of somebody new."""

    username: str
    is_administrator: bool = False
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None


def from_row(row: Row) -> User:
    """Of the columns that `by_id` has."""
    *others, is_administrator = row
    columns = (*others, bool(is_administrator))
    return User(*columns)


def ensure(transaction: Transaction, username: str, *, is_administrator: bool = False) -> User:
    """The user of that name, created when new."""
    params: Params = {
        "id": ids.new_id(),
        "username": username,
        "is_administrator": int(is_administrator),
        "now": timestamps.now(),
    }
    transaction.execute(_SQL["insert"], params)
    return from_row(transaction.rows(_SQL["by_username"], {"username": username})[0])


def create(transaction: Transaction, new: NewUser) -> User:
    """Raises Conflict when the name is taken (see `is_taken`)."""
    user_id = ids.new_id()
    params: Params = {
        "id": user_id,
        "username": new.username,
        "first_name": new.first_name,
        "last_name": new.last_name,
        "email": new.email,
        "is_administrator": int(new.is_administrator),
        "now": timestamps.now(),
    }
    transaction.execute(_SQL["create"], params)
    return from_row(transaction.rows(_SQL["by_id"], {"id": user_id})[0])


def is_taken(transaction: Transaction, username: str) -> bool:
    """Whether the name is, or once was, somebody's."""
    return transaction.row(_SQL["is_taken"], {"username": username}) is not None


def by_username(transaction: Transaction, username: str) -> User | None:
    row = transaction.row(_SQL["by_username"], {"username": username})
    return from_row(row) if row else None


def by_id(transaction: Transaction, user_id: int) -> User | None:
    row = transaction.row(_SQL["by_id"], {"id": user_id})
    return from_row(row) if row else None


def account(transaction: Transaction, username: str) -> Account | None:
    row = transaction.row(_SQL["account"], {"username": username})
    return _account(row) if row else None


def page(transaction: Transaction, after: str | None, limit: int) -> list[Account]:
    """Everybody, the oldest first; `after` is the id of the last one seen.

    Raises:
        UnprocessableContent: `after` is no id.
    """
    params: Params = {"after": ids.cursor(after, 0), "limit": limit}
    return [_account(row) for row in transaction.rows(_SQL["page"], params)]


def has_another(transaction: Transaction, username: str) -> bool:
    """Whether there is anybody besides that one."""
    return transaction.row(_SQL["another"], {"username": username}) is not None


def remove(transaction: Transaction, user_id: int) -> bool:
    """Nobody is that user from now on. Whether somebody still was."""
    return transaction.execute(_SQL["remove"], {"id": user_id, "now": timestamps.now()}) > 0


def lock_out(transaction: Transaction, user_id: int) -> None:
    """Nobody signs in as that user from now on, until they are invited again."""
    for sql in _LOCK_OUT:
        transaction.execute(sql, {"id": user_id})


def erase(transaction: Transaction, user_id: int) -> None:
    """Deletes what belongs to a removed user, besides agents and sessions."""
    for sql in _ERASE:
        transaction.execute(sql, {"id": user_id})


def _account(row: Row) -> Account:
    *user, has_password, invited_until = row
    return Account(from_row(tuple(user)), bool(has_password), invited_until)
