"""Codes in links that open the web page: their hashes, never the codes."""

from dataclasses import dataclass

from fixieai.storage import ids, statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("browser_codes")
MOST_OF_A_KEY = 100


@dataclass(frozen=True, slots=True)
class Grant:
    """The API key that a code stands for, by its id."""

    username: str
    key_id: str


def put(transaction: Transaction, code_hash: str, grant: Grant, now: int, seconds: int) -> None:
    """Keeps it for so many seconds; of a key's codes the newest 100 are kept."""
    transaction.execute(_SQL["delete_ended"], {"now": now})
    room: Params = {"key_id": grant.key_id, "kept": MOST_OF_A_KEY - 1, "most": ids.MAXIMUM}
    transaction.execute(_SQL["make_room"], room)
    params: Params = {
        "hash": code_hash,
        "username": grant.username,
        "key_id": grant.key_id,
        "expires": now + seconds,
    }
    transaction.execute(_SQL["insert"], params)


def take(transaction: Transaction, code_hash: str, now: int) -> Grant | None:
    """What the code stands for, nothing if it is too old; from now on it stands for nothing."""
    row = transaction.row(_SQL["take"], {"hash": code_hash})
    return Grant(row[0], row[1]) if row and row[2] >= now else None
