"""Conversations. Their messages are in `messages`, what was asked in them in `queries`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fixieai import errors
from fixieai.storage import ids, statements, timestamps
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("sessions")
_TRIES_FOR_A_HANDLE = 8


@dataclass(frozen=True, slots=True)
class Session:
    """`handle` is unique among those of one owner. `modified` is when the last query began."""

    id: int
    handle: str
    name: str | None
    frontend_agent_id: str | None
    created: str
    modified: str


def draft(handle: str, frontend_agent_id: str | None = None) -> Session:
    """A session that is not stored yet: whoever stores it may store more with it."""
    now = timestamps.now()
    return Session(ids.new_id(), handle, None, frontend_agent_id, now, now)


def insert(transaction: Transaction, owner_id: int, session: Session) -> None:
    """Raises Conflict when the owner has a session of that handle."""
    if not _insert(transaction, owner_id, session):
        raise _taken(session)


def _taken(session: Session) -> errors.Conflict:
    return errors.Conflict(f"There is a session named {session.handle!r} already.")


def _insert(transaction: Transaction, owner_id: int, session: Session) -> bool:
    """Whether the owner had no session of that handle."""
    params: Params = {
        "id": session.id,
        "owner_id": owner_id,
        "handle": session.handle,
        "name": session.name,
        "frontend_agent_id": session.frontend_agent_id,
        "now": session.created,
    }
    return transaction.execute(_SQL["insert"], params) > 0


def insert_under_free_handle(
    transaction: Transaction, owner_id: int, session: Session, another_handle: Callable[[], str]
) -> Session:
    """The session as it is stored: under another handle when the owner has one of that handle already.

    Raises:
        Conflict: so many other handles in a row are taken, too.
    """
    for _ in range(_TRIES_FOR_A_HANDLE):
        if _insert(transaction, owner_id, session):
            return session
        session = replace(session, handle=another_handle())
    raise _taken(session)


def create(
    transaction: Transaction, owner_id: int, handle: str, frontend_agent_id: str | None = None
) -> Session:
    """Raises Conflict when the owner has a session of that handle."""
    session = draft(handle, frontend_agent_id)
    insert(transaction, owner_id, session)
    return session


def get(transaction: Transaction, owner_id: int, handle: str) -> Session | None:
    row = transaction.row(_SQL["get"], {"owner_id": owner_id, "handle": handle})
    return Session(*row) if row else None


def existing(transaction: Transaction, owner_id: int, handle: str) -> Session:
    """Raises NotFound: the owner has no such session."""
    session = get(transaction, owner_id, handle)
    if session is None:
        raise errors.NotFound("There is no session of that name. `fixie session list` shows yours.")
    return session


def page(transaction: Transaction, owner_id: int, after: str | None, limit: int) -> list[Session]:
    """The owner's sessions, the newest first; `after` is the id of the last one seen.

    Raises:
        UnprocessableContent: `after` is no id.
    """
    params: Params = {"owner_id": owner_id, "before": ids.cursor(after, ids.MAXIMUM), "limit": limit}
    return [Session(*row) for row in transaction.rows(_SQL["page"], params)]


def touch(transaction: Transaction, owner_id: int, session_id: int, name: str | None = None) -> None:
    """Marks the session as modified now; `name` becomes its name when it has none.

    Raises:
        NotFound: the owner has no such session (any more).
    """
    params: Params = {"owner_id": owner_id, "session_id": session_id, "name": name, "now": timestamps.now()}
    if not transaction.execute(_SQL["touch"], params):
        raise errors.NotFound("This session does not exist, or was deleted.")


def lock(transaction: Transaction, owner_id: int, session_id: int) -> bool:
    """Whoever changes the session at this moment has done so, or waits; whether the owner has it."""
    return transaction.row(_SQL["lock"], {"owner_id": owner_id, "session_id": session_id}) is not None


def delete(transaction: Transaction, owner_id: int, session_id: int) -> bool:
    """Deletes the session with its messages and queries; whether there was one.

    What is being asked meanwhile is stored before, or not at all.
    """
    if not lock(transaction, owner_id, session_id):
        return False
    params: Params = {"owner_id": owner_id, "session_id": session_id}
    transaction.execute(_SQL["delete_queries"], params)
    return transaction.execute(_SQL["delete"], params) > 0
