"""API keys that were given out: their ids, never the keys."""

from dataclasses import dataclass

from fixieai.storage import statements, timestamps
from fixieai.storage.transaction import Params, Transaction
from fixieai.storage.users import User

_SQL = statements.load("api_keys")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`revoked` is when it was, or None while it is good."""

    id: str
    name: str
    created: str
    revoked: str | None


def create(transaction: Transaction, user_id: int, key_id: str, name: str) -> ApiKey:
    """Raises Conflict when the id is taken or there is no such user."""
    key = ApiKey(key_id, name, timestamps.now(), None)
    transaction.execute(_SQL["insert"], {"id": key_id, "user_id": user_id, "name": name, "now": key.created})
    return key


def active_user(transaction: Transaction, key_id: str) -> User | None:
    """Whose key it is; None when it was revoked or never given out."""
    row = transaction.row(_SQL["active_user"], {"id": key_id})
    return User(*row) if row else None


def revoke(transaction: Transaction, user_id: int, key_id: str) -> bool:
    """Whether the user had such a key that was good until now."""
    params: Params = {"id": key_id, "user_id": user_id, "now": timestamps.now()}
    return transaction.execute(_SQL["revoke"], params) > 0


def of_user(transaction: Transaction, user_id: int) -> list[ApiKey]:
    """All keys of the user, the newest first."""
    return [ApiKey(*row) for row in transaction.rows(_SQL["of_user"], {"user_id": user_id})]
