"""People, by the name they sign in with."""

from dataclasses import dataclass

from fixieai.storage import ids, statements, timestamps
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("users")


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


def ensure(transaction: Transaction, username: str) -> User:
    """The user of that name, created when new."""
    params: Params = {"id": ids.new_id(), "username": username, "now": timestamps.now()}
    transaction.execute(_SQL["insert"], params)
    return User(*transaction.rows(_SQL["by_username"], {"username": username})[0])


def by_username(transaction: Transaction, username: str) -> User | None:
    row = transaction.row(_SQL["by_username"], {"username": username})
    return User(*row) if row else None


def by_id(transaction: Transaction, user_id: int) -> User | None:
    row = transaction.row(_SQL["by_id"], {"id": user_id})
    return User(*row) if row else None
