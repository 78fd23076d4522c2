"""The processes that run queries. Each counts its beats; one whose count stands still is taken for dead.

A count instead of a time: whoever watches measures with its own clock how long the count stood still,
so that the clocks of several machines need not agree.
"""

from fixieai.storage import statements, timestamps
from fixieai.storage.transaction import Transaction

_SQL = statements.load("executors")


def add(transaction: Transaction, executor_id: str) -> None:
    """Begins at 0 beats. Raises Conflict when there is one of that id."""
    transaction.execute(_SQL["insert"], {"id": executor_id, "now": timestamps.now()})


def beat(transaction: Transaction, executor_id: str) -> bool:
    """Counts one; False when the executor was taken for dead meanwhile: its queries are another's."""
    return transaction.execute(_SQL["beat"], {"id": executor_id}) > 0


def beats(transaction: Transaction) -> dict[str, int]:
    """How often each has beaten so far."""
    return dict(transaction.rows(_SQL["beats"], {}))


def remove(transaction: Transaction, executor_id: str, beat: int) -> bool:
    """Takes an executor for dead, unless it has beaten again; whether it was removed, by this call."""
    return transaction.execute(_SQL["remove"], {"id": executor_id, "beat": beat}) > 0


def leave(transaction: Transaction, executor_id: str) -> None:
    """The executor ends by itself; a beat that is still on its way does not matter."""
    transaction.execute(_SQL["leave"], {"id": executor_id})


def remove_all(transaction: Transaction) -> None:
    """For the start of the one platform of a home: whatever is there is of processes that ended."""
    transaction.execute(_SQL["remove_all"], {})
