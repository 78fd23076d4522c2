"""Hashes of passwords, never the passwords."""

from fixieai.storage import statements, timestamps
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("passwords")


def put(transaction: Transaction, user_id: int, password_hash: str) -> None:
    """In place of the one that the user had."""
    params: Params = {"user_id": user_id, "hash": password_hash, "now": timestamps.now()}
    transaction.execute(_SQL["put"], params)


def of_user(transaction: Transaction, user_id: int) -> str | None:
    row = transaction.row(_SQL["of_user"], {"user_id": user_id})
    return str(row[0]) if row else None


def has_any(transaction: Transaction) -> bool:
    """Whether anybody signs in with a password."""
    return transaction.row(_SQL["any"], {}) is not None
