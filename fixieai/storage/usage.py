"""How many queries a person asked on a day, counted exactly, whatever runs at the same time."""

from fixieai.storage import statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("usage")


def increment(transaction: Transaction, user_id: int, day: str, limit: int) -> bool:
    """Counts one more, unless `limit` is reached; whether it was counted. `day` is `2026-01-31`.

    Called in the transaction that stores the question, so that what failed is not counted.
    """
    params: Params = {"user_id": user_id, "day": day, "limit": limit}
    return transaction.execute(_SQL["increment"], params) > 0


def used(transaction: Transaction, user_id: int, day: str) -> int:
    row = transaction.row(_SQL["used"], {"user_id": user_id, "day": day})
    return int(row[0]) if row else 0
