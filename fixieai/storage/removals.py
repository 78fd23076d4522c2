"""Stored bytes that are being removed, by whichever process: nobody begins to rely on them meanwhile.

Whether bytes are needed is asked before they are removed, and somebody may store the same ones in
between. So both sides write one row here, each in the transaction in which it asks or says so: the
second waits for the first, and sees what it did.
"""

import time

from fixieai import errors
from fixieai.storage import statements
from fixieai.storage.transaction import Transaction

_SQL = statements.load("removals")
# A removal takes less; one that was broken off is begun anew after this.
SECONDS = 30


class BeingRemoved(errors.ServiceUnavailable):
    """These bytes are being removed at the moment. Try again."""


def rely(transaction: Transaction, content: str) -> None:
    """Before it is written that bytes are needed. Raises BeingRemoved."""
    if not transaction.execute(_SQL["take"], {"content": content, "now": int(time.time())}):
        raise BeingRemoved
    end(transaction, content)


def begin(transaction: Transaction, content: str) -> bool:
    """Before it is asked whether bytes are needed; False while another removes them."""
    now = int(time.time())
    return transaction.execute(_SQL["begin"], {"content": content, "now": now, "until": now + SECONDS}) > 0


def end(transaction: Transaction, content: str) -> None:
    transaction.execute(_SQL["end"], {"content": content})
