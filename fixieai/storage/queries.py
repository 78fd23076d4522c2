"""What was asked, and how it ended. The lines between are the messages of the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fixieai import errors
from fixieai.storage import messages, sessions, statements, timestamps
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.sessions import Session
from fixieai.storage.transaction import Params, Row, Transaction

_SQL = statements.load("queries")
_MOST_AT_ONCE = 1_000

Ending = Literal["answered", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Query:
    """`id` is that of the message that asked; no other query ever gets it again.

    `status` is "running" or an `Ending`; `finished` is None while it runs, `error_code` unless it failed.
    """

    id: int
    session_id: int
    agent_id: str | None
    status: str
    created: str
    finished: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True)
class NewQuery:
    """A query before it is stored.

    `agent_id` is None while the router has not chosen yet; `session_name` names a session without a name.
    `is_in_new_session`: the session has its name, and was stored a moment ago.
    """

    question: NewMessage
    executor_id: str
    agent_id: str | None = None
    session_name: str | None = None
    is_in_new_session: bool = False


class SessionBusy(errors.Conflict):
    """Another query is being answered in this session."""


def begin(transaction: Transaction, owner_id: int, session_id: int, new: NewQuery) -> Query:
    """Stores the question and that it is being answered.

    Raises:
        NotFound: the owner has no such session (any more).
        SessionBusy: a query of this session is being answered.
    """
    if not new.is_in_new_session:
        sessions.touch(transaction, owner_id, session_id, new.session_name)
    asked = messages.append_question(transaction, owner_id, session_id, new.question)
    params: Params = {
        "id": asked.id,
        "session_id": session_id,
        "agent_id": new.agent_id,
        "now": asked.created,
        "executor_id": new.executor_id,
    }
    if not transaction.execute(_SQL["insert"], params):
        raise SessionBusy
    return Query(asked.id, session_id, new.agent_id, "running", asked.created, None, None)


def finish(
    transaction: Transaction,
    place: Place,
    status: Ending,
    answer: NewMessage,
    error_code: str | None = None,
    tokens: int = 0,
) -> messages.Message:
    """Stores the last message of a query, how it ended, and that it used so many tokens more.

    Raises:
        NotFound: the owner has no such query (its session may have been deleted), or another runs it.
        Conflict: it ended before.
    """
    params: Params = {
        "id": place.query_id,
        "owner_id": place.owner_id,
        "executor_id": place.executor_id,
        "status": status,
        "error_code": error_code,
        "tokens": tokens,
        "now": timestamps.now(),
    }
    try:
        stored = messages.append(transaction, place, answer)
    except errors.NotFound:
        query = get(transaction, place.owner_id, place.query_id)
        if query is not None and query.status != "running":
            raise errors.Conflict("This query has ended already.") from None
        raise errors.NotFound("This query does not exist, or its session was deleted.") from None
    transaction.execute(_SQL["finish"], params)
    return stored


def get(transaction: Transaction, owner_id: int, query_id: int) -> Query | None:
    row = transaction.row(_SQL["get"], {"id": query_id, "owner_id": owner_id})
    return Query(*row) if row else None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A query that its executor left behind, and whose it is. `attempts` counts this one too.

    `is_cancelled`: somebody asked for its end.
    """

    id: int
    agent_id: str | None
    attempts: int
    is_cancelled: bool
    owner_id: int
    username: str
    time_zone: str | None
    session: Session


def left_behind(transaction: Transaction) -> list[int]:
    """The ids of the queries that run and whose executor is no longer there; a thousand at most."""
    return [row[0] for row in transaction.rows(_SQL["left_behind"], {"limit": _MOST_AT_ONCE})]


def take(transaction: Transaction, executor_id: str, query_ids: Sequence[int]) -> list[Unfinished]:
    """Gives the executor those of one or more queries that nobody else runs.

    None while it is not listed itself.
    """
    sql, listed = statements.with_list(_SQL["take"], "ids", query_ids)
    return _unfinished(transaction, transaction.rows(sql, {"executor_id": executor_id, **listed}))


def take_again(
    transaction: Transaction, executor_id: str, session_id: int, query_id: int | None
) -> list[Unfinished]:
    """The query of a session, if the executor runs it: it begins anew to go on with it.

    `query_id` is None for one that may have been stored or not.
    """
    params: Params = {"executor_id": executor_id, "session_id": session_id, "query_id": query_id or 0}
    return _unfinished(transaction, transaction.rows(_SQL["take_again"], params))


def _unfinished(transaction: Transaction, taken: Sequence[Row]) -> list[Unfinished]:
    if not taken:
        return []
    rows = transaction.rows(*statements.with_list(_SQL["unfinished"], "ids", [row[0] for row in taken]))
    return [Unfinished(*(*row[:3], bool(row[3]), *row[4:7], Session(*row[7:]))) for row in rows]


def cancel(transaction: Transaction, owner_id: int, session_id: int) -> int | None:
    """Asks whoever runs the query of a session to end it; its id, None when there is none."""
    row = transaction.row(_SQL["cancel"], {"owner_id": owner_id, "session_id": session_id})
    return row[0] if row else None


def cancelled(transaction: Transaction, executor_id: str) -> list[int]:
    """The ids of the queries that the executor was asked to end."""
    return [row[0] for row in transaction.rows(_SQL["cancelled"], {"executor_id": executor_id})]
