"""Agents that are registered: what their owners say of them, and what they said of themselves."""

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fixieai import errors
from fixieai.storage import ids, statements, timestamps
from fixieai.storage.transaction import Params, Row, Transaction

_SQL = statements.load("agents")


class Unchanged(enum.Enum):
    """The value of a change that is none, where None means something."""

    UNCHANGED = "unchanged"

    def __bool__(self) -> Literal[False]:
        return False


UNCHANGED = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class Agent:
    """`owner` is a username. `metadata` is the JSON of the last handshake, "" before the first.

    `url` is None while the agent is not running. `status` is "online", "offline" or "unreachable".
    `modified` does not change with the status.
    """

    id: int
    owner: str
    handle: str
    name: str
    description: str
    more_info_url: str
    url: str | None
    type: str
    status: str
    metadata: str
    queries: list[str]
    published: bool
    created: str
    modified: str


@dataclass(frozen=True, slots=True)
class Samples:
    """The sample queries of one agent."""

    agent_id: str
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgentChanges:
    """What an owner sets. None stays as it is, or is empty in a new agent; `url=None` means: not running."""

    name: str | None = None
    description: str | None = None
    more_info_url: str | None = None
    url: str | Unchanged | None = UNCHANGED
    published: bool | None = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """What an agent said of itself: its type, its metadata as JSON text, its sample queries."""

    type: str
    metadata: str
    queries: Sequence[str]


def upsert(transaction: Transaction, owner_id: int, handle: str, changes: AgentChanges) -> Agent:
    """The agent with the changes applied, created when new."""
    sets_url = not isinstance(changes.url, Unchanged)
    transaction.execute(
        _SQL["upsert"],
        {
            "id": ids.new_id(),
            "owner_id": owner_id,
            "handle": handle,
            "name": changes.name,
            "description": changes.description,
            "more_info_url": changes.more_info_url,
            "sets_url": int(sets_url),
            "url": changes.url or None,
            "status": "online" if changes.url else "offline",
            "published": None if changes.published is None else int(changes.published),
            "now": timestamps.now(),
        },
    )
    return _own(transaction, owner_id, handle)


def get(transaction: Transaction, viewer_id: int, owner: str, handle: str) -> Agent | None:
    """The viewer's own agent, or a published one of somebody else; `owner` is a username."""
    params: Params = {"viewer_id": viewer_id, "owner": owner, "handle": handle}
    row = transaction.row(_SQL["get"], params)
    return _agent(row) if row else None


def page(transaction: Transaction, viewer_id: int, after: str | None, limit: int) -> list[Agent]:
    """The agents that the viewer may see, the oldest first; `after` is the id of the last one seen.

    Raises:
        UnprocessableContent: `after` is no id.
    """
    params: Params = {"viewer_id": viewer_id, "after": ids.cursor(after, 0), "limit": limit}
    return [_agent(row) for row in transaction.rows(_SQL["page"], params)]


def samples(transaction: Transaction, viewer_id: int, limit: int) -> list[Samples]:
    """What the agents that the viewer may see say they answer, the oldest agents first."""
    rows = transaction.rows(_SQL["samples"], {"viewer_id": viewer_id, "limit": limit})
    return [Samples(f"{owner}/{handle}", tuple(json.loads(queries))) for owner, handle, queries in rows]


def delete(transaction: Transaction, owner_id: int, handle: str) -> bool:
    """Whether there was one."""
    return transaction.execute(_SQL["delete"], {"owner_id": owner_id, "handle": handle}) > 0


def set_status(transaction: Transaction, owner_id: int, handle: str, status: str) -> bool:
    """Whether there is such an agent."""
    params: Params = {"owner_id": owner_id, "handle": handle, "status": status}
    return transaction.execute(_SQL["set_status"], params) > 0


def set_handshake(transaction: Transaction, owner_id: int, handle: str, handshake: Handshake) -> Agent:
    """Keeps what the agent said of itself; it is online then.

    Raises:
        NotFound: there is no such agent (any more).
    """
    params: Params = {
        "owner_id": owner_id,
        "handle": handle,
        "type": handshake.type,
        "metadata": handshake.metadata,
        "queries": json.dumps(list(handshake.queries)),
        "now": timestamps.now(),
    }
    transaction.execute(_SQL["set_handshake"], params)
    return _own(transaction, owner_id, handle)


def _own(transaction: Transaction, owner_id: int, handle: str) -> Agent:
    row = transaction.row(_SQL["own"], {"owner_id": owner_id, "handle": handle})
    if row is None:
        raise errors.NotFound
    return _agent(row)


def _agent(row: Row) -> Agent:
    *others, queries, published, created, modified = row
    columns = (*others, json.loads(queries), bool(published), created, modified)
    return Agent(*columns)
