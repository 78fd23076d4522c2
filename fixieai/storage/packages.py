"""Which stored packages of code are needed: those of revisions, and those about to be of one.

Before a package is stored a hold is put on it, so that it is found again if the platform stops then.
"""

import time

from fixieai.storage import ids, removals, statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("packages")
_HOLD_SECONDS = 900


def hold(transaction: Transaction, package_hash: str) -> int:
    """Keeps a package that is about to be stored, for 15 minutes; the id of the hold.

    Raises:
        BeingRemoved: a moment later it can be.
    """
    removals.rely(transaction, _content(package_hash))
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


def perhaps_unused(transaction: Transaction, limit: int) -> list[str]:
    """Hashes of packages that were about to be some revision's."""
    rows = transaction.rows(_SQL["unused"], {"now": int(time.time()), "limit": limit})
    return list(dict.fromkeys(str(package_hash) for (package_hash,) in rows))


def begin_removal(transaction: Transaction, package_hash: str) -> bool:
    """Whether the caller is to remove the package now: no revision has it, or is about to have it."""
    if not removals.begin(transaction, _content(package_hash)):
        return False
    params: Params = {"package_hash": package_hash, "now": int(time.time())}
    if transaction.row(_SQL["is_needed"], params) is None:
        return True
    end_removal(transaction, package_hash)
    return False


def end_removal(transaction: Transaction, package_hash: str) -> None:
    """It is gone, and so are holds on it that have ended."""
    transaction.execute(_SQL["end_holds"], {"package_hash": package_hash, "now": int(time.time())})
    removals.end(transaction, _content(package_hash))


def _content(package_hash: str) -> str:
    return f"packages/{package_hash}"
