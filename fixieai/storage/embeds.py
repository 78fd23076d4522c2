"""What is attached to messages of a session. Bytes are in `blobs`, under their hash; here is whose they are.

An embed never changes. Before bytes are stored a hold is put on them, which the embed that refers
to them takes the place of; a session that is deleted leaves holds that have ended. So bytes that
nobody needs are always found, whenever the platform was stopped.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import ids, removals, sessions, statements, timestamps
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("embeds")
BYTES = removals.StoredBytes("embeds", _SQL["unused"], _SQL["is_needed"], _SQL["end_holds"])
# Longer than a query may wait for its turn and take: who holds bytes refers to them by then, or never will.
_HOLD_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class NewEmbed:
    """Bytes (`content_hash` and their number, `size`), or a place elsewhere (`uri`)."""

    id: int
    key: str
    sender: str
    content_type: str
    content_hash: str | None = None
    size: int | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEmbed:
    """`sender` is "user" or the id of an agent; `key` names it in texts of its session, as `#key`."""

    id: int
    session_id: int
    key: str
    sender: str
    content_type: str
    content_hash: str | None
    size: int | None
    uri: str | None
    created: str


def insert(transaction: Transaction, owner_id: int, session_id: int, new: NewEmbed) -> None:
    """Stores an embed, in the place of its hold.

    Raises:
        NotFound: the owner has no such session (any more).
    """
    params: Params = {
        "id": new.id,
        "owner_id": owner_id,
        "session_id": session_id,
        "key": new.key,
        "sender": new.sender,
        "content_type": new.content_type,
        "content_hash": new.content_hash,
        "size": new.size,
        "uri": new.uri,
        "now": timestamps.now(),
    }
    if not transaction.execute(_SQL["insert"], params):
        raise errors.NotFound("This session does not exist, or was deleted.")
    transaction.execute(_SQL["end_hold"], {"embed_id": new.id})


def upload(transaction: Transaction, owner_id: int, session_id: int, new: NewEmbed) -> StoredEmbed:
    """Stores a person's embed under a key that is free, or returns the one that has the same content.

    Raises:
        Conflict: the key leads to other content: embeds do not change.
        NotFound: the owner has no such session.
    """
    sessions.lock(transaction, owner_id, session_id)  # of two who use a key at once, one sees the other's
    present = named(transaction, owner_id, session_id, new.key)
    if present is None:
        insert(transaction, owner_id, session_id, new)
        present = named(transaction, owner_id, session_id, new.key)
    if present is None or (present.content_hash, present.content_type) != (
        new.content_hash,
        new.content_type,
    ):
        raise errors.Conflict(f"This session has an attachment #{new.key} already. Choose another key.")
    return present


def get(transaction: Transaction, owner_id: int, embed_id: int) -> StoredEmbed | None:
    row = transaction.row(_SQL["get"], {"owner_id": owner_id, "id": embed_id})
    return StoredEmbed(*row) if row else None


def named(transaction: Transaction, owner_id: int, session_id: int, key: str) -> StoredEmbed | None:
    """What `#key` means in a session: what the person attached under it, else anybody; the newest."""
    params: Params = {"owner_id": owner_id, "session_id": session_id, "key": key}
    row = transaction.row(_SQL["named_by_person"], params) or transaction.row(_SQL["named"], params)
    return StoredEmbed(*row) if row else None


def all_named(
    transaction: Transaction, owner_id: int, session_id: int, keys: Sequence[str]
) -> list[StoredEmbed]:
    """Those of the keys that mean something."""
    found = (named(transaction, owner_id, session_id, key) for key in keys)
    return [embed for embed in found if embed is not None]


def page(
    transaction: Transaction, owner_id: int, session_id: int, after: str | None, limit: int
) -> list[StoredEmbed]:
    """A session's embeds, the oldest first; `after` is the id of the last one seen.

    Raises:
        UnprocessableContent: `after` is no id.
    """
    params: Params = {
        "owner_id": owner_id,
        "session_id": session_id,
        "after": ids.cursor(after, 0),
        "limit": limit,
    }
    return [StoredEmbed(*row) for row in transaction.rows(_SQL["page"], params)]


def of_sessions(
    transaction: Transaction, owner_id: int, session_ids: Sequence[int], each: int, limit: int
) -> list[StoredEmbed]:
    """The newest `each` embeds of every session, session by session and in order; `limit` in all."""
    sql, listed = statements.with_list(_SQL["of_sessions"], "session_ids", session_ids)
    params: Params = {"owner_id": owner_id, "each": each, "limit": limit, **listed}
    return [StoredEmbed(*row) for row in transaction.rows(sql, params)]


def hold(transaction: Transaction, embed_id: int, content_hash: str) -> None:
    """Keeps bytes that are about to be stored for an embed of this id, for a day.

    Raises:
        BeingRemoved: a moment later they can be.
    """
    BYTES.rely(transaction, content_hash)
    until = int(time.time()) + _HOLD_SECONDS
    transaction.execute(_SQL["hold"], {"embed_id": embed_id, "content_hash": content_hash, "until": until})


def hold_bytes_of(transaction: Transaction, owner_id: int, stored: StoredEmbed, embed_id: int) -> bool:
    """Holds the bytes of another embed of the owner for one of this id; whether that one is still there.

    Raises:
        BeingRemoved: as `hold`.
    """
    present = get(transaction, owner_id, stored.id)
    if present is None or present.content_hash is None:
        return False
    hold(transaction, embed_id, present.content_hash)
    return True


def let_go(transaction: Transaction, embed_ids: Sequence[int]) -> None:
    """Ends the holds for embeds that will not be stored; for those that were, there is none."""
    for embed_id in embed_ids:
        transaction.execute(_SQL["let_go"], {"embed_id": embed_id})


def abandon(transaction: Transaction, owner_id: int, session_id: int) -> None:
    """To be called before a session is deleted: leaves a trace of the bytes that it used."""
    transaction.execute(_SQL["abandon"], {"owner_id": owner_id, "session_id": session_id})
