"""Stored bytes that nobody needs are removed, by whichever process: nobody begins to rely on them meanwhile.

Whether bytes are needed is asked before they are removed, and somebody may store the same ones in
between. So both sides write one row here, each in the transaction in which it asks or says so: the
second waits for the first, and sees what it did.
"""

import time
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("removals")
# A removal takes less; one that was broken off is begun anew after this.
SECONDS = 30


class BeingRemoved(errors.ServiceUnavailable):
    """These bytes are being removed at the moment. Try again."""


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Bytes of one kind, each by its hash, and the statements that know who needs them.

    `unused` finds hashes whose holds have ended, `is_needed` a reason to keep one; `end_holds` forgets
    the holds on one that have ended.
    """

    kind: str
    unused: str
    is_needed: str
    end_holds: str

    def rely(self, transaction: Transaction, content_hash: str) -> None:
        """Before it is written that bytes are needed. Raises BeingRemoved."""
        params: Params = {"content": self._content(content_hash), "now": int(time.time())}
        if not transaction.execute(_SQL["take"], params):
            raise BeingRemoved
        transaction.execute(_SQL["end"], {"content": self._content(content_hash)})

    def perhaps_unused(self, transaction: Transaction, limit: int) -> list[str]:
        """Hashes that somebody used, or was about to use, and no longer does. All users' together."""
        rows = transaction.rows(self.unused, {"now": int(time.time()), "limit": limit})
        return list(dict.fromkeys(str(content_hash) for (content_hash,) in rows))

    def begin_removal(self, transaction: Transaction, content_hash: str) -> bool:
        """Whether the caller is to remove these bytes now: nobody needs them, nor is about to.

        If somebody does, holds that have ended are forgotten, in one: a session that is deleted in between
        would leave a hold that is the last trace of them.
        """
        now = int(time.time())
        params: Params = {"content": self._content(content_hash), "now": now, "until": now + SECONDS}
        if not transaction.execute(_SQL["begin"], params):
            return False
        if transaction.row(self.is_needed, {"content_hash": content_hash, "now": now}) is None:
            return True
        self.end_removal(transaction, content_hash)
        return False

    def end_removal(self, transaction: Transaction, content_hash: str) -> None:
        """The bytes are gone; what is left of them, holds that have ended, goes too."""
        transaction.execute(self.end_holds, {"content_hash": content_hash, "now": int(time.time())})
        transaction.execute(_SQL["end"], {"content": self._content(content_hash)})

    def _content(self, content_hash: str) -> str:
        return f"{self.kind}/{content_hash}"
