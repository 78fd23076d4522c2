"""What all platforms of one database agree on, the first one to come having decided it."""

from collections.abc import Callable

from fixieai.storage import statements
from fixieai.storage.transaction import Transaction

_SQL = statements.load("shared_facts")


def lock(transaction: Transaction, name: str) -> str:
    """Waits until no other transaction has the fact of that name; its value, "" where nobody decided it."""
    row = transaction.row(_SQL["lock"], {"name": name})
    return str(row[0]) if row else ""


def find(transaction: Transaction, name: str) -> str:
    """The value of the fact, "" where nobody decided it."""
    row = transaction.row(_SQL["get"], {"name": name})
    return str(row[0]) if row else ""


def decide(transaction: Transaction, name: str, make: Callable[[], str]) -> str:
    """The value of the fact; what `make` returns where nobody decided it yet."""
    value = lock(transaction, name)
    if not value:
        value = make()
        transaction.execute(_SQL["set"], {"name": name, "value": value})
    return value
