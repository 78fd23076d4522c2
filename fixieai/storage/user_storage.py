"""What agents keep for people: one key space per person and agent, values as JSON text.

Keys are compared byte by byte: two that look alike but are written differently are two keys.
"""

from dataclasses import dataclass

from fixieai.storage import statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("user_storage")


@dataclass(frozen=True, slots=True)
class Item:
    key: str
    value: str


def get(transaction: Transaction, user_id: int, agent_id: str, key: str) -> str | None:
    row = transaction.row(_SQL["get"], {"user_id": user_id, "agent_id": agent_id, "key": key})
    return str(row[0]) if row else None


def is_present(transaction: Transaction, user_id: int, agent_id: str, key: str) -> bool:
    params: Params = {"user_id": user_id, "agent_id": agent_id, "key": key}
    return transaction.row(_SQL["is_present"], params) is not None


def put(transaction: Transaction, user_id: int, agent_id: str, key: str, value: str) -> None:
    params: Params = {"user_id": user_id, "agent_id": agent_id, "key": key, "value": value}
    transaction.execute(_SQL["put"], params)


def delete(transaction: Transaction, user_id: int, agent_id: str, key: str) -> bool:
    """Whether there was one."""
    params: Params = {"user_id": user_id, "agent_id": agent_id, "key": key}
    return transaction.execute(_SQL["delete"], params) > 0


def page(transaction: Transaction, user_id: int, agent_id: str, after: str | None, limit: int) -> list[Item]:
    """Items in the order of their keys' UTF-8 bytes; `after` is the last key seen."""
    params: Params = {"user_id": user_id, "agent_id": agent_id, "after": after, "limit": limit}
    statement = _SQL["first_page"] if after is None else _SQL["page"]
    return [Item(*row) for row in transaction.rows(statement, params)]
