"""Links with which people choose a password: hashes of the codes in them, one for each person at most."""

import time

from fixieai.storage import statements, users
from fixieai.storage.transaction import Params, Transaction
from fixieai.storage.users import User

_SQL = statements.load("invitations")


def put(transaction: Transaction, user_id: int, code_hash: str, expires: int) -> None:
    """In place of the one that the user had; `expires` is in Unix seconds."""
    params: Params = {"user_id": user_id, "hash": code_hash, "expires": expires}
    transaction.execute(_SQL["put"], params)


def invited(transaction: Transaction, code_hash: str) -> User | None:
    """Whom the code invites; None when it is too old, was used, or never was one."""
    row = transaction.row(_SQL["user"], {"hash": code_hash, "seconds": int(time.time())})
    return users.from_row(row) if row else None


def delete(transaction: Transaction, code_hash: str) -> bool:
    """Whether there was one."""
    return transaction.execute(_SQL["delete"], {"hash": code_hash}) > 0
