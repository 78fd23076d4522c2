"""What was said in a session, line by line: the person's queries, each step, the responses."""

from collections.abc import Sequence
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import embeds, ids, statements, timestamps
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("messages")

RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Message:
    """`position` counts from 1 in its session, without gaps. `query_id` is the id of the message that asked.

    `name` is the func's name or the agent's id of a line such as `Ask Func[roll]: 20 1`; `sender`
    is "user", the id of an agent, or None; `embeds` is JSON text as it was given. `depth` is how many
    agents stand between its author and the person.
    """

    id: int
    session_id: int
    query_id: int
    position: int
    type: str
    name: str
    sender: str | None
    text: str
    embeds: str
    model: str | None
    created: str
    depth: int = 0

    @property
    def in_reply_to(self) -> int | None:
        """The id of the message that a response answers."""
        return self.query_id if self.type == RESPONSE else None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message before it is stored, and the embeds to be stored with it."""

    type: str
    text: str
    name: str = ""
    sender: str | None = None
    embeds: str = "{}"
    model: str | None = None
    depth: int = 0
    attached: tuple[NewEmbed, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A query that is being answered: whose it is, in which session, and who runs it."""

    owner_id: int
    session_id: int
    query_id: int
    executor_id: str


def append(transaction: Transaction, place: Place, new: NewMessage) -> Message:
    """Stores a message of a query as the next one of its session.

    Raises:
        NotFound: the owner has no such query (its session may have been deleted), it has ended, or
            another runs it.
    """
    message_id = ids.new_id()
    fenced: Params = {"query_id": place.query_id, "executor_id": place.executor_id, "depth": new.depth}
    return _insert(transaction, place, message_id, new, fenced)


def append_question(transaction: Transaction, owner_id: int, session_id: int, new: NewMessage) -> Message:
    """Stores a message that begins a query, whose id is its own. See `queries.begin`.

    Raises:
        NotFound: the owner has no such session (any more).
    """
    message_id = ids.new_id()
    return _insert(transaction, Place(owner_id, session_id, message_id, ""), message_id, new, None)


def _insert(
    transaction: Transaction, place: Place, message_id: int, new: NewMessage, fenced: Params | None
) -> Message:
    now = timestamps.now()
    params: Params = {
        "id": message_id,
        "owner_id": place.owner_id,
        "session_id": place.session_id,
        "type": new.type,
        "name": new.name,
        "sender": new.sender,
        "text": new.text,
        "embeds": new.embeds,
        "model": new.model,
        "now": now,
    }
    statement = _SQL["append_question"] if fenced is None else _SQL["append"]
    row = transaction.row(statement, {**params, **(fenced or {})})
    if row is None:
        raise errors.NotFound("This session does not exist, or was deleted.")
    for embed in new.attached:
        embeds.insert(transaction, place.owner_id, place.session_id, embed)
    return Message(
        id=message_id,
        session_id=place.session_id,
        query_id=place.query_id,
        position=row[0],
        type=new.type,
        name=new.name,
        sender=new.sender,
        text=new.text,
        embeds=new.embeds,
        model=new.model,
        created=now,
        depth=new.depth,
    )


def of_query(transaction: Transaction, owner_id: int, session_id: int, query_id: int) -> list[Message]:
    """Everything of one query, in order: the question first."""
    params: Params = {"owner_id": owner_id, "session_id": session_id, "query_id": query_id}
    return [Message(*row) for row in transaction.rows(_SQL["of_query"], params)]


def page(transaction: Transaction, owner_id: int, session_id: int, after: int, limit: int) -> list[Message]:
    """Up to `limit` messages behind the position `after` (0: from the first), in order."""
    params: Params = {"owner_id": owner_id, "session_id": session_id, "after": after, "limit": limit}
    return [Message(*row) for row in transaction.rows(_SQL["page"], params)]


def with_embeds(
    transaction: Transaction, owner_id: int, session_id: int, after: int, limit: int
) -> list[Message]:
    """As `page`, of the messages that have embeds."""
    params: Params = {"owner_id": owner_id, "session_id": session_id, "after": after, "limit": limit}
    return [Message(*row) for row in transaction.rows(_SQL["with_embeds"], params)]


def window(
    transaction: Transaction, owner_id: int, session_id: int, limit: int, before: int | None = None
) -> list[Message]:
    """The newest `limit` messages, or those before a position, in order. Costs the same in any session."""
    params: Params = {
        "owner_id": owner_id,
        "session_id": session_id,
        "before": ids.MAXIMUM if before is None else before,
        "limit": limit,
    }
    return [Message(*row) for row in reversed(transaction.rows(_SQL["window"], params))]


def newest(
    transaction: Transaction, owner_id: int, session_ids: Sequence[int], each: int, limit: int
) -> list[Message]:
    """The newest `each` messages of every session, in order, and `limit` in all."""
    sql, listed = statements.with_list(_SQL["newest"], "session_ids", session_ids)
    params: Params = {"owner_id": owner_id, "each": each, "limit": limit, **listed}
    return [Message(*row) for row in transaction.rows(sql, params)]


def pages(
    transaction: Transaction, owner_id: int, session_ids: Sequence[int], span: tuple[int, int], limit: int
) -> list[Message]:
    """Of every session the messages behind the first position of `span`, up to its last; `limit` in all."""
    sql, listed = statements.with_list(_SQL["pages"], "session_ids", session_ids)
    after, until = span
    params: Params = {"owner_id": owner_id, "after": after, "until": until, "limit": limit, **listed}
    return [Message(*row) for row in transaction.rows(sql, params)]


def of_ids(transaction: Transaction, owner_id: int, message_ids: Sequence[int]) -> list[Message]:
    """Those of the owner that are still there, in any order."""
    sql, listed = statements.with_list(_SQL["of_ids"], "message_ids", message_ids)
    return [Message(*row) for row in transaction.rows(sql, {"owner_id": owner_id, **listed})]


def exchange(transaction: Transaction, owner_id: int, session_id: int, query_id: int) -> list[Message]:
    """What a query asked, and its answer when it has one."""
    params: Params = {"owner_id": owner_id, "session_id": session_id, "query_id": query_id}
    return [Message(*row) for row in transaction.rows(_SQL["exchange"], params)]
