"""What was asked, and how it ended. The lines between are the messages of the query."""

from dataclasses import dataclass
from typing import Literal

from fixieai import errors
from fixieai.storage import messages, sessions, statements, timestamps
from fixieai.storage.messages import NewMessage
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("queries")

Ending = Literal["answered", "failed", "interrupted"]
INTERRUPTED: Ending = "interrupted"


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


def begin(
    transaction: Transaction,
    owner_id: int,
    session_id: int,
    agent_id: str | None,
    question: NewMessage,
    session_name: str | None = None,
) -> Query:
    """Stores the question and that it is being answered; `session_name` names a session without a name.

    `agent_id` is None while the router has not chosen yet.

    Raises:
        NotFound: the owner has no such session (any more).
    """
    sessions.touch(transaction, owner_id, session_id, session_name)
    asked = messages.append_question(transaction, owner_id, session_id, question)
    query = Query(asked.id, session_id, agent_id, "running", asked.created, None, None)
    params: Params = {"id": query.id, "session_id": session_id, "agent_id": agent_id, "now": query.created}
    transaction.execute(_SQL["insert"], params)
    return query


def finish(
    transaction: Transaction,
    owner_id: int,
    query_id: int,
    status: Ending,
    answer: NewMessage,
    error_code: str | None = None,
) -> messages.Message:
    """Stores the last message of a query and how it ended.

    Raises:
        NotFound: the owner has no such query (its session may have been deleted).
        Conflict: it ended before.
    """
    params: Params = {
        "id": query_id,
        "owner_id": owner_id,
        "status": status,
        "error_code": error_code,
        "now": timestamps.now(),
    }
    ended = transaction.row(_SQL["finish"], params)
    if ended is None:
        if get(transaction, owner_id, query_id) is None:
            raise errors.NotFound("This query does not exist, or its session was deleted.")
        raise errors.Conflict("This query has ended already.")
    return messages.append(transaction, owner_id, ended[0], query_id, answer)


def get(transaction: Transaction, owner_id: int, query_id: int) -> Query | None:
    row = transaction.row(_SQL["get"], {"id": query_id, "owner_id": owner_id})
    return Query(*row) if row else None


def interrupt_running(transaction: Transaction, notice: NewMessage) -> list[Query]:
    """Ends every query that still runs, with `notice` as its last message. For the start of a platform.

    Returns them as they are then.
    """
    interrupted = []
    for owner_id, query_id in transaction.rows(_SQL["running"], {}):
        finish(transaction, owner_id, query_id, INTERRUPTED, notice, INTERRUPTED)
        interrupted.append(Query(*transaction.rows(_SQL["get"], {"id": query_id, "owner_id": owner_id})[0]))
    return interrupted
