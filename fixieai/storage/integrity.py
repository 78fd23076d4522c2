"""What must be true of all rows together, and which bytes they refer to: everybody's rows, for checks."""

from collections.abc import Iterator

from fixieai.storage import statements
from fixieai.storage.transaction import Transaction

_SQL = statements.load("integrity")
_SHOWN = 20
_HASHES_AT_ONCE = 1_000
_BROKEN = {
    "gaps": "session {0}: {1} messages have the positions {2} to {3}",
    "lost_questions": "query {0} of session {1} has no message",
    "lost_queries": "message {0} of session {1} belongs to no query",
    "lost_revisions": "agent {0}/{1}: its current revision is missing",
    "miscounted_storage": "what {1} keeps for {0} is miscounted",
}


def findings(transaction: Transaction) -> list[str]:
    """What is not as it must be, at most 20 of each kind."""
    return [
        text.format(*row)
        for name, text in _BROKEN.items()
        for row in transaction.rows(_SQL[name], {"limit": _SHOWN})
    ]


def contents(transaction: Transaction) -> Iterator[str]:
    """The hash of the bytes of every attachment, each once."""
    return _hashes(transaction, "contents")


def packages(transaction: Transaction) -> Iterator[str]:
    """The hash of every package that a revision has, each once."""
    return _hashes(transaction, "packages")


def _hashes(transaction: Transaction, statement: str) -> Iterator[str]:
    after = ""
    while rows := transaction.rows(_SQL[statement], {"after": after, "limit": _HASHES_AT_ONCE}):
        for (content_hash,) in rows:
            yield content_hash
        after = rows[-1][0]


def sealed_value(transaction: Transaction) -> str | None:
    """A value that is encrypted with the platform's secret key; None: there is none."""
    row = transaction.row(_SQL["sealed_value"], {})
    return str(row[0]) if row else None
