"""Codes on their way from the page to the program that asked for access: their hashes, never the codes."""

import time
from dataclasses import dataclass

from fixieai.storage import statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("authorizations")


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a person allowed. `challenge` is PKCE's (S256), None without; `expires` is in Unix seconds."""

    user_id: int
    username: str
    redirect_uri: str
    challenge: str | None
    expires: int


def put(transaction: Transaction, code_hash: str, allowed: Authorization) -> None:
    """Keeps it until it is taken; those of the user that are over go."""
    transaction.execute(_SQL["delete_old"], {"user_id": allowed.user_id, "seconds": int(time.time())})
    params: Params = {
        "hash": code_hash,
        "user_id": allowed.user_id,
        "redirect_uri": allowed.redirect_uri,
        "challenge": allowed.challenge,
        "expires": allowed.expires,
    }
    transaction.execute(_SQL["insert"], params)


def take(transaction: Transaction, code_hash: str) -> Authorization | None:
    """What the code stands for; it stands for nothing from now on, even if it was too old."""
    row = transaction.row(_SQL["get"], {"hash": code_hash})
    if row is None or transaction.execute(_SQL["delete"], {"hash": code_hash}) == 0:
        return None
    return Authorization(*row)
