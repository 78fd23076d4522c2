"""API keys that were given out: their ids, never the keys."""

import time
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import statements, timestamps, users
from fixieai.storage.transaction import Params, Transaction
from fixieai.storage.users import User

_SQL = statements.load("api_keys")
_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`revoked` is when it was, or None while it is good.

    `expires` is in Unix seconds; None: it lasts. One that does not is a browser's, from a sign-in.
    """

    id: str
    name: str
    created: str
    revoked: str | None
    expires: int | None = None


def create(
    transaction: Transaction,
    user_id: int,
    key_id: str,
    name: str,
    expires: int | None = None,
    most: int | None = None,
) -> ApiKey:
    """`most`: how many keys that last the user may have, with this one.

    Raises:
        Conflict: the id is taken, there is no such user (any more), or the user has so many keys.
    """
    if not transaction.execute(_SQL["lock"], {"user_id": user_id}):
        raise errors.Conflict("There is no such user any more.")
    if most is not None and count_lasting(transaction, user_id) >= most:
        raise errors.Conflict(f"This person has {most} keys. Revoke one that is not used.")
    key = ApiKey(key_id, name, timestamps.now(), None, expires)
    params: Params = {
        "id": key_id,
        "user_id": user_id,
        "name": name,
        "expires": expires,
        "now": key.created,
    }
    transaction.execute(_SQL["insert"], params)
    return key


def active_user(transaction: Transaction, key_id: str) -> User | None:
    """Whose key it is; None when it was revoked or never given out."""
    row = transaction.row(_SQL["active_user"], {"id": key_id})
    return users.from_row(row) if row else None


def revoke(transaction: Transaction, user_id: int, key_id: str) -> bool:
    """Whether the user had such a key that was good until now."""
    params: Params = {"id": key_id, "user_id": user_id, "now": timestamps.now()}
    return transaction.execute(_SQL["revoke"], params) > 0


def of_user(transaction: Transaction, user_id: int) -> list[ApiKey]:
    """All keys of the user, the newest first."""
    return [ApiKey(*row) for row in transaction.rows(_SQL["of_user"], {"user_id": user_id})]


def good_of_user(transaction: Transaction, user_id: int) -> list[ApiKey]:
    """The keys of the user that are good now, the newest first."""
    params: Params = {"user_id": user_id, "seconds": int(time.time())}
    return [ApiKey(*row) for row in transaction.rows(_SQL["good"], params)]


def count_lasting(transaction: Transaction, user_id: int) -> int:
    """How many keys the user has that end only when they are revoked."""
    (row,) = transaction.rows(_SQL["count"], {"user_id": user_id})
    return int(row[0])


def forget_sign_ins(transaction: Transaction, user_id: int, *, all_of_them: bool = False) -> None:
    """Deletes the user's keys of browsers that are over, or all of browsers."""
    until = _FOREVER if all_of_them else int(time.time())
    transaction.execute(_SQL["end_of_sign_ins"], {"user_id": user_id, "seconds": until})


def end_sign_in(transaction: Transaction, user_id: int, key_id: str) -> None:
    """Deletes a key if it is a browser's."""
    transaction.execute(_SQL["end_of_sign_in"], {"id": key_id, "user_id": user_id})
