"""Attempts to sign in that failed or are under way, by the hash of the name that was tried."""

from collections.abc import Callable

from fixieai.storage import statements
from fixieai.storage.transaction import Transaction

_SQL = statements.load("sign_in_attempts")
_MOST_NAMES = 10_000
# As many beyond those, if they were tried often.
OFTEN = 5


def begin(
    transaction: Transaction, name_hash: str, now: int, forgotten: int, wait_after: Callable[[int], int]
) -> int:
    """Counts an attempt at `now` and gives 0; or counts none, and gives how long it has to wait.

    All in milliseconds. Attempts on one name take turns here, so none slips through uncounted.

    Args:
        forgotten: what was tried before this moment counts no more.
        wait_after: how long to wait after so many attempts.
    """
    transaction.execute(_SQL["delete_forgotten"], {"forgotten": forgotten})
    made, last = transaction.row(_SQL["ensure"], {"name_hash": name_hash, "now": now}) or (0, now)
    pause = wait_after(int(made))
    # The clock may have been set back since: nobody waits for longer than the pause.
    wait = min(int(last) + pause - now, pause)
    if wait > 0:
        return wait
    transaction.execute(_SQL["count"], {"name_hash": name_hash, "now": now})
    transaction.execute(_SQL["make_room"], {"most": _MOST_NAMES - 1, "often": OFTEN})
    transaction.execute(_SQL["make_room_among_all"], {"most": 2 * _MOST_NAMES - 1})
    return 0


def forget(transaction: Transaction, name_hash: str) -> None:
    transaction.execute(_SQL["delete"], {"name_hash": name_hash})
