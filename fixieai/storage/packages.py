"""Which stored packages of code are needed: those of revisions, and those about to be of one.

Before a package is stored a hold is put on it, so that it is found again if the platform stops then.
"""

import time

from fixieai.storage import ids, removals, statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("packages")
BYTES = removals.StoredBytes("packages", _SQL["unused"], _SQL["is_needed"], _SQL["end_holds"])
_HOLD_SECONDS = 900


def hold(transaction: Transaction, package_hash: str) -> int:
    """Keeps a package that is about to be stored, for 15 minutes; the id of the hold.

    Raises:
        BeingRemoved: a moment later it can be.
    """
    BYTES.rely(transaction, package_hash)
    hold_id = ids.new_id()
    params: Params = {
        "id": hold_id,
        "package_hash": package_hash,
        "until": int(time.time()) + _HOLD_SECONDS,
    }
    transaction.execute(_SQL["hold"], params)
    return hold_id


def let_go(transaction: Transaction, hold_id: int) -> None:
    """A revision has the package now, or will not."""
    transaction.execute(_SQL["let_go"], {"id": hold_id})
