"""Agents that are registered: what their owners say of them, and what they said of themselves.

Owners are users and organisations. What runs of an agent is its current revision (`revisions`); what a
query needs of that stands in the agent's own row too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import ids, oauth, organizations, statements, timestamps, user_storage
from fixieai.storage.transaction import Params, Row, Transaction

_SQL = statements.load("agents")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, as one viewer may see it.

    Attributes:
        owner: a username, or the handle of an organisation (`owner_kind` "organization").
        owner_name: of an organisation, what people call it.
        url: where it answers; None while it is not running, and for one that the platform runs itself.
        status: "online", "offline" or "unreachable".
        metadata: the JSON of the last handshake, "" before the first.
        environment: "PYTHON" or "NODEJS" when the platform runs the current revision itself.
        query_url, func_url: as its owner gave them, in the way of old clients.
        refresh_status: of the last handshake: "PENDING", "SUCCEEDED" or "FAILED".
        is_editable: the viewer is its owner, or a member of the organisation that is.
        modified: does not change with the status.
    """

    id: int
    owner_id: int
    owner: str
    owner_kind: str
    owner_name: str | None
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
    current_revision_id: int | None
    environment: str | None
    package_hash: str | None
    query_url: str | None
    func_url: str | None
    refresh_status: str
    created: str
    modified: str
    is_editable: bool

    @property
    def agent_id(self) -> str:
        """`owner/handle`."""
        return f"{self.owner}/{self.handle}"


@dataclass(frozen=True, slots=True)
class Samples:
    """The sample queries of one agent."""

    agent_id: str
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgentChanges:
    """What an owner sets. None stays as it is, or is empty in a new agent; an empty URL is none."""

    name: str | None = None
    description: str | None = None
    more_info_url: str | None = None
    published: bool | None = None
    query_url: str | None = None
    func_url: str | None = None
    new_handle: str | None = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """What an agent said of itself: its type, its metadata as JSON text, its sample queries."""

    type: str
    metadata: str
    queries: Sequence[str]


@dataclass(frozen=True, slots=True)
class Current:
    """What an agent's row repeats of its current revision. Without a revision: it is not running.

    `said` is None where nothing is known; what the agent said before stays then.
    """

    revision_id: int | None = None
    url: str | None = None
    environment: str | None = None
    package_hash: str | None = None
    status: str = "offline"
    said: Handshake | None = None


def insert(transaction: Transaction, owner_id: int, handle: str, changes: AgentChanges) -> Agent:
    """A new agent, without a revision. It takes the place of an alias.

    Raises:
        Conflict: the owner has an agent of that handle.
        NotFound: the owner was removed.
    """
    agent_id = ids.new_id()
    params: Params = {
        "id": agent_id,
        "owner_id": owner_id,
        "handle": handle,
        **_described(changes),
        "now": timestamps.now(),
    }
    if not transaction.execute(_SQL["insert"], params):
        is_taken = transaction.row(_SQL["handle_is_taken"], {"owner_id": owner_id, "handle": handle})
        raise _taken(handle) if is_taken else errors.NotFound
    transaction.execute(_SQL["drop_alias"], {"owner_id": owner_id, "handle": handle})
    return by_id(transaction, owner_id, agent_id)


def upsert(transaction: Transaction, user_id: int, owner: str, handle: str, changes: AgentChanges) -> Agent:
    """The agent with the changes applied, created when new. `owner` is a username or an organisation.

    An agent that had the handle once is not meant.

    Raises:
        NotFound: the user may change no agents of that owner.
    """
    found = get(transaction, user_id, owner, handle)
    if found is not None and found.is_editable and found.handle == handle:
        return update(transaction, found, changes)
    return insert(transaction, organizations.owner_id(transaction, user_id, owner), handle, changes)


def update(transaction: Transaction, agent: Agent, changes: AgentChanges) -> Agent:
    """The agent with the changes applied. After a renaming the old handle leads to it too.

    Raises:
        NotFound: it is gone.
        Conflict: the owner has another agent of the new handle.
    """
    new_handle = changes.new_handle if changes.new_handle != agent.handle else None
    if new_handle is not None:
        _rename(transaction, agent, new_handle)
    params: Params = {
        "id": agent.id,
        "owner_id": agent.owner_id,
        "new_handle": new_handle,
        **_described(changes),
        "now": timestamps.now(),
    }
    transaction.execute(_SQL["update"], params)
    return by_id(transaction, agent.owner_id, agent.id)


def _rename(transaction: Transaction, agent: Agent, new_handle: str) -> None:
    """What the agent keeps for people goes with it."""
    of_owner: Params = {"owner_id": agent.owner_id, "handle": new_handle}
    if transaction.row(_SQL["handle_is_taken"], of_owner):
        raise _taken(new_handle)
    transaction.execute(_SQL["drop_alias"], of_owner)
    alias: Params = {"owner_id": agent.owner_id, "handle": agent.handle, "id": agent.id}
    transaction.execute(_SQL["add_alias"], alias)
    new_id = f"{agent.owner}/{new_handle}"
    user_storage.rename_agent(transaction, agent.agent_id, new_id)
    oauth.rename_agent(transaction, agent.agent_id, new_id)


def get(transaction: Transaction, viewer_id: int, owner: str, handle: str) -> Agent | None:
    """The viewer's own agent, one of an organisation of theirs, or a published one of somebody else.

    `owner` is a username or an organisation's handle. A handle that the agent had before counts.
    """
    params: Params = {"viewer_id": viewer_id, "owner": owner, "handle": handle}
    row = transaction.row(_SQL["get"], params) or transaction.row(_SQL["get_by_alias"], params)
    agent = _agent(row) if row else None
    return agent if agent and (agent.published or agent.is_editable) else None


def editable(transaction: Transaction, user_id: int, owner: str, handle: str) -> Agent:
    """The user's own agent, or one of an organisation of theirs.

    Raises:
        NotFound: there is none.
    """
    agent = get(transaction, user_id, owner, handle)
    if agent is None or not agent.is_editable:
        raise errors.NotFound
    return agent


def by_id(transaction: Transaction, owner_id: int, agent_id: int) -> Agent:
    """The owner's agent, for somebody who may change it.

    Raises:
        NotFound: it is gone.
    """
    row = transaction.row(_SQL["by_id"], {"id": agent_id, "owner_id": owner_id})
    if row is None:
        raise errors.NotFound
    return _agent(row)


def locked(transaction: Transaction, agent: Agent) -> Agent:
    """The agent as it is now. Until the transaction ends nobody else changes it.

    Raises:
        NotFound: it is gone.
    """
    transaction.execute(_SQL["lock"], {"id": agent.id})
    return by_id(transaction, agent.owner_id, agent.id)


def locked_for(transaction: Transaction, user_id: int, agent: Agent) -> Agent:
    """The same, for who may change it still: its owner, or a member of the organisation that is.

    Raises:
        NotFound: it is gone, or they may not.
    """
    now = locked(transaction, agent)
    return editable(transaction, user_id, now.owner, now.handle)


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


def delete(transaction: Transaction, agent: Agent) -> bool:
    """Deletes the agent with its revisions and what people allowed it elsewhere; whether it was there.

    What it keeps for people stays: it is there again for an agent of the same name.
    """
    was_there = transaction.execute(_SQL["delete"], _named(agent)) > 0
    if was_there:
        oauth.forget_agent(transaction, agent.agent_id)
    return was_there


def set_unreachable(transaction: Transaction, agent: Agent) -> None:
    """Its last handshake failed. An agent that is not running stays so."""
    transaction.execute(_SQL["set_unreachable"], _named(agent))


def set_reachability(
    transaction: Transaction, owner: str, handle: str, url: str, *, is_reachable: bool
) -> None:
    """Whether the agent's address answers. One that is at another address, or at none, stays as it is."""
    status = "online" if is_reachable else "unreachable"
    params: Params = {"owner": owner, "handle": handle, "url": url, "status": status}
    transaction.execute(_SQL["set_reachability"], params)


def set_handshake(transaction: Transaction, agent: Agent, said: Handshake) -> Agent:
    """Keeps what the agent said of itself; it is online then.

    Raises:
        NotFound: it is gone.
    """
    params: Params = {**_named(agent), **said_params(said), "now": timestamps.now()}
    transaction.execute(_SQL["set_handshake"], params)
    return by_id(transaction, agent.owner_id, agent.id)


def set_current(transaction: Transaction, agent: Agent, current: Current) -> Agent:
    """Repeats in the agent's row what is current from now on.

    Raises:
        NotFound: it is gone.
    """
    params: Params = {
        **_named(agent),
        "revision_id": current.revision_id,
        "url": current.url,
        "environment": current.environment,
        "package_hash": current.package_hash,
        "status": current.status,
        "refresh_status": _REFRESHED.get(current.status),
        **said_params(current.said),
        "now": timestamps.now(),
    }
    transaction.execute(_SQL["set_current"], params)
    return by_id(transaction, agent.owner_id, agent.id)


_REFRESHED = {"online": "SUCCEEDED", "unreachable": "FAILED"}


def _described(changes: AgentChanges) -> Params:
    return {
        "name": changes.name,
        "description": changes.description,
        "more_info_url": changes.more_info_url,
        "published": None if changes.published is None else int(changes.published),
        "query_url": changes.query_url,
        "func_url": changes.func_url,
    }


def said_params(said: Handshake | None) -> Params:
    """The columns that keep what was said, in rows of agents and of revisions; NULL where nothing was."""
    if said is None:
        return {"type": None, "metadata": None, "queries": None}
    return {"type": said.type, "metadata": said.metadata, "queries": json.dumps(list(said.queries))}


def _named(agent: Agent) -> Params:
    return {"id": agent.id, "owner_id": agent.owner_id}


def _taken(handle: str) -> errors.Conflict:
    return errors.Conflict(f"There is an agent named {handle!r} already.")


def _agent(row: Row) -> Agent:
    *before, queries, published = row[:15]
    *after, is_editable = row[15:]
    columns = (*before, json.loads(queries), bool(published), *after, bool(is_editable))
    return Agent(*columns)
