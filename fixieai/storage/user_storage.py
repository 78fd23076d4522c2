"""What agents keep for people: one key space per person and agent, values as JSON text.

Keys are compared byte by byte: two that look alike but are written differently are two keys. What
each key space holds is counted in the write that changes it, so that a quota is exact.
"""

from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import ids, statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("user_storage")


@dataclass(frozen=True, slots=True)
class Item:
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Key:
    """`size`: bytes of key and value."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Used:
    """What one key space holds. `bytes` are those of keys and values, in UTF-8."""

    keys: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that one key space may hold."""

    keys: int = ids.MAXIMUM
    bytes: int = ids.MAXIMUM


_UNLIMITED = Quota()


def get(transaction: Transaction, user_id: int, agent_id: str, key: str) -> str | None:
    row = transaction.row(_SQL["get"], {"user_id": user_id, "agent_id": agent_id, "key": key})
    return str(row[0]) if row else None


def is_present(transaction: Transaction, user_id: int, agent_id: str, key: str) -> bool:
    return _size(transaction, {"user_id": user_id, "agent_id": agent_id, "key": key}) is not None


def put(
    transaction: Transaction,
    user_id: int,
    agent_id: str,
    key: str,
    value: str,
    quota: Quota = _UNLIMITED,
) -> None:
    """Stores a value, in place of the one that the key has.

    Raises:
        StorageFull: the key space would hold more than the quota, and more than now.
    """
    owner: Params = {"user_id": user_id, "agent_id": agent_id}
    row = transaction.rows(_SQL["lock_usage"], owner)[0]
    used = Used(*row)
    size = len(f"{key}{value}".encode("utf-8", "surrogatepass"))
    present = _size(transaction, {**owner, "key": key})
    more = Used(keys=int(present is None), bytes=size - (present or 0))
    _check(quota, used, more)
    transaction.execute(_SQL["put"], {**owner, "key": key, "value": value, "size": size})
    transaction.execute(_SQL["change_usage"], {**owner, "keys": more.keys, "bytes": more.bytes})


def delete(transaction: Transaction, user_id: int, agent_id: str, key: str) -> bool:
    """Whether there was one."""
    owner: Params = {"user_id": user_id, "agent_id": agent_id}
    transaction.rows(_SQL["lock_usage"], owner)
    size = _size(transaction, {**owner, "key": key})
    if size is None:
        return False
    transaction.execute(_SQL["delete"], {**owner, "key": key})
    transaction.execute(_SQL["change_usage"], {**owner, "keys": -1, "bytes": -size})
    return True


def keys(transaction: Transaction, user_id: int, agent_id: str, after: str | None, limit: int) -> list[Key]:
    """In the order of their UTF-8 bytes; `after` is the last key seen."""
    params: Params = {"user_id": user_id, "agent_id": agent_id, "after": after, "limit": limit}
    statement = _SQL["first_keys"] if after is None else _SQL["keys"]
    return [Key(*row) for row in transaction.rows(statement, params)]


def between(transaction: Transaction, user_id: int, agent_id: str, first: str, last: str) -> list[Item]:
    """The items from one key to another, both included."""
    params: Params = {"user_id": user_id, "agent_id": agent_id, "first": first, "last": last}
    return [Item(*row) for row in transaction.rows(_SQL["between"], params)]


def used(transaction: Transaction, user_id: int, agent_id: str) -> Used:
    row = transaction.row(_SQL["used"], {"user_id": user_id, "agent_id": agent_id})
    return Used(*row) if row else Used(0, 0)


def rename_agent(transaction: Transaction, agent_id: str, new_id: str) -> None:
    """What an agent keeps for people goes with it to its new id. What one that is gone left there goes.

    The counts first, as in all functions here: what is being stored is stored then, and goes along.
    """
    _forget_agent(transaction, new_id)
    for (user_id,) in transaction.rows(_SQL["people"], {"agent_id": agent_id}):
        params: Params = {"user_id": user_id, "agent_id": agent_id, "new_id": new_id}
        transaction.execute(_SQL["rename_usage"], params)
        transaction.execute(_SQL["rename_values"], params)


def _forget_agent(transaction: Transaction, agent_id: str) -> None:
    for (user_id,) in transaction.rows(_SQL["people"], {"agent_id": agent_id}):
        params: Params = {"user_id": user_id, "agent_id": agent_id}
        transaction.execute(_SQL["forget_usage"], params)
        transaction.execute(_SQL["empty"], params)


def _size(transaction: Transaction, params: Params) -> int | None:
    row = transaction.row(_SQL["size"], params)
    return int(row[0]) if row else None


def _check(quota: Quota, used: Used, more: Used) -> None:
    """What shrinks is never refused: a quota may have been lowered."""
    if more.keys > 0 and used.keys + more.keys > quota.keys:
        raise errors.StorageFull(f"{_full(used)} The most is {quota.keys:,} keys (FIXIE_STORAGE_KEYS).")
    if more.bytes > 0 and used.bytes + more.bytes > quota.bytes:
        raise errors.StorageFull(f"{_full(used)} The most is {quota.bytes:,} bytes (FIXIE_STORAGE_BYTES).")


def _full(used: Used) -> str:
    return f"The agent keeps {used.keys:,} keys of {used.bytes:,} bytes for this person."
