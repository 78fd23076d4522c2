"""What is attached to the messages of a session, by key."""

from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import ids, statements, timestamps
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("embeds")


@dataclass(frozen=True, slots=True)
class Embed:
    """All but the content, which `content` reads."""

    id: int
    key: str
    content_type: str
    created: str


@dataclass(frozen=True, slots=True)
class Content:
    """`uri` is as it was given: `data:` with the content itself, or the address where it is."""

    content_type: str
    uri: str


def put(transaction: Transaction, owner_id: int, session_id: int, key: str, content: Content) -> Embed:
    """Stores an embed under a key of the session, in place of what was there.

    Raises:
        NotFound: the owner has no such session (any more).
    """
    params: Params = {
        "id": ids.new_id(),
        "owner_id": owner_id,
        "session_id": session_id,
        "key": key,
        "content_type": content.content_type,
        "uri": content.uri,
        "now": timestamps.now(),
    }
    row = transaction.row(_SQL["put"], params)
    if row is None:
        raise errors.NotFound("This session does not exist, or was deleted.")
    return Embed(*row)


def of_session(transaction: Transaction, owner_id: int, session_id: int) -> list[Embed]:
    """In the order in which their keys first came."""
    params: Params = {"owner_id": owner_id, "session_id": session_id}
    return [Embed(*row) for row in transaction.rows(_SQL["of_session"], params)]


def content(transaction: Transaction, owner_id: int, embed_id: int) -> Content | None:
    """What an embed of one of the owner's sessions holds."""
    row = transaction.row(_SQL["content"], {"owner_id": owner_id, "id": embed_id})
    return Content(*row) if row else None
