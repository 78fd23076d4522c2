"""Signing keys that several platforms share: encrypted, for a copy of the database must sign nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from fixieai.storage import shared_facts, statements
from fixieai.storage.transaction import Transaction

_SQL = statements.load("signing_keys")
_FACT = "signing keys"


@dataclass(frozen=True, slots=True)
class SealedKey:
    """`sealed` is the private key, encrypted; it signs from `signs_from` on (Unix seconds)."""

    kid: str
    sealed: str
    signs_from: int


def all_keys(transaction: Transaction) -> list[SealedKey]:
    """The newest first."""
    return [SealedKey(*row) for row in transaction.rows(_SQL["all"], {})]


def add(transaction: Transaction, key: SealedKey) -> None:
    transaction.execute(_SQL["insert"], {"kid": key.kid, "sealed": key.sealed, "signs_from": key.signs_from})


def ensure(transaction: Transaction, make: Callable[[], SealedKey]) -> list[SealedKey]:
    """All keys, of which there is one at least: of platforms that start at once, one makes it."""
    shared_facts.lock(transaction, _FACT)
    found = all_keys(transaction)
    if not found:
        add(transaction, make())
        found = all_keys(transaction)
    return found
