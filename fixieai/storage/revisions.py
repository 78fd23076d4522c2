"""What ran, runs, or may run as an agent: at an address elsewhere, or as code that the platform runs.

One revision of an agent is current. One at most is *served*: it stands for a program that runs for a
while, remembers which revision was current before, and may have a lease that its program renews.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from fixieai import errors
from fixieai.storage import agents, ids, statements, timestamps
from fixieai.storage.agents import Agent, Current, Handshake
from fixieai.storage.transaction import Params, Row, Transaction

_SQL = statements.load("revisions")

READY, PENDING, FAILED = "ready", "pending", "failed"
_NOTHING_SAID = Handshake("unknown", "", [])


@dataclass(frozen=True, slots=True)
class Revision:
    """`url` is None for one with a `package_hash`, which the platform runs in `environment`.

    `status` is "ready", "pending" (being deployed) or "failed", with the `problem` then. `labels` are what
    its maker says of it: pairs of key and value.
    """

    id: int
    agent_id: int
    url: str | None
    environment: str | None
    package_hash: str | None
    status: str
    problem: str | None
    type: str
    queries: list[str]
    labels: list[tuple[str, str]]
    is_served: bool
    former_revision_id: int | None
    created: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Source:
    """What a new revision is of: either `url`, or `environment` and `package_hash`."""

    url: str | None = None
    environment: str | None = None
    package_hash: str | None = None
    labels: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """Where a program serves an agent, until when (seconds since 1970; None: no limit), and what it said."""

    url: str
    lease_until: int | None
    said: Handshake


@dataclass(frozen=True, slots=True)
class Switch:
    """An agent before and after a change of what is current."""

    before: Agent
    after: Agent


def insert(
    transaction: Transaction,
    agent: Agent,
    new: Source,
    status: str,
    said: Handshake | None = None,
    executor_id: str | None = None,
) -> Revision:
    """A new revision, not current. `executor_id`: who deploys it, if it is pending."""
    others: Params = {
        "status": status,
        "executor_id": executor_id,
        **agents.said_params(said or _NOTHING_SAID),
    }
    return get(transaction, agent, _insert(transaction, agent, new, others))


def _insert(transaction: Transaction, agent: Agent, new: Source, others: Params) -> int:
    revision_id = ids.new_id()
    params: Params = {
        "id": revision_id,
        "agent_id": agent.id,
        "url": new.url,
        "environment": new.environment,
        "package_hash": new.package_hash,
        "labels": json.dumps([list(label) for label in new.labels]),
        "is_served": 0,
        "former_revision_id": None,
        "lease_until": None,
        "executor_id": None,
        "now": timestamps.now(),
        **others,
    }
    transaction.execute(_SQL["insert"], params)
    return revision_id


def get(transaction: Transaction, agent: Agent, revision_id: int) -> Revision:
    """Raises NotFound: the agent has no such revision."""
    revision = find(transaction, agent, revision_id)
    if revision is None:
        raise errors.NotFound("The agent has no such revision.")
    return revision


def find(transaction: Transaction, agent: Agent, revision_id: int | None) -> Revision | None:
    row = transaction.row(_SQL["get"], {**_of(agent), "id": revision_id, "owner_id": agent.owner_id})
    return _revision(row) if row else None


def served(transaction: Transaction, agent: Agent) -> Revision | None:
    row = transaction.row(_SQL["served"], {**_of(agent), "owner_id": agent.owner_id})
    return _revision(row) if row else None


def page(transaction: Transaction, agent: Agent, after: str | None, limit: int) -> list[Revision]:
    """The agent's revisions, the newest first; `after` is the id of the last one seen.

    Raises:
        UnprocessableContent: `after` is no id.
    """
    before = ids.cursor(after, ids.MAXIMUM)
    params: Params = {**_of(agent), "owner_id": agent.owner_id, "before": before, "limit": limit}
    return [_revision(row) for row in transaction.rows(_SQL["page"], params)]


def current_of(transaction: Transaction, viewer_id: int, agent_ids: Sequence[int]) -> dict[int, Revision]:
    """The current revisions of those agents that the viewer may change, by agent."""
    if not agent_ids:
        return {}
    sql, listed = statements.with_list(_SQL["current_of_agents"], "agent_ids", agent_ids)
    found = [_revision(row) for row in transaction.rows(sql, {"viewer_id": viewer_id, **listed})]
    return {revision.agent_id: revision for revision in found}


def newest_of(
    transaction: Transaction, viewer_id: int, agent_ids: Sequence[int], limit: int
) -> dict[int, list[Revision]]:
    """The newest revisions of those agents that the viewer may change, up to `limit` each, newest first."""
    if not agent_ids:
        return {}
    sql, listed = statements.with_list(_SQL["newest_of_agents"], "agent_ids", agent_ids)
    rows = transaction.rows(sql, {"viewer_id": viewer_id, "limit": limit, **listed})
    by_agent: dict[int, list[Revision]] = {}
    for revision in sorted(map(_revision, rows), key=lambda each: each.id, reverse=True):
        by_agent.setdefault(revision.agent_id, []).append(revision)
    return by_agent


def make_current(
    transaction: Transaction, agent: Agent, revision: Revision | None, *, is_reachable: bool = True
) -> Switch:
    """Switches the agent to one of its revisions; to None: it is not running then.

    Raises:
        NotFound: the agent is gone.
        Conflict: the revision is not ready.
    """
    before = agents.locked(transaction, agent)
    if revision is None:
        return Switch(before, agents.set_current(transaction, before, Current()))
    if revision.status != READY:
        raise errors.Conflict(_not_ready(revision))
    current = Current(
        revision.id,
        revision.url,
        revision.environment,
        revision.package_hash,
        "online" if is_reachable else "unreachable",
        _what_was_said(transaction, revision),
    )
    return Switch(before, agents.set_current(transaction, before, current))


def _what_was_said(transaction: Transaction, revision: Revision) -> Handshake:
    params: Params = {"id": revision.id, "agent_id": revision.agent_id}
    ((kind, metadata, queries),) = transaction.rows(_SQL["said"], params)
    return Handshake(kind, metadata, json.loads(queries))


def _not_ready(revision: Revision) -> str:
    if revision.status == PENDING:
        return "This revision is still being deployed. Try again when it is ready."
    return f"This revision could not be deployed: {revision.problem}"


def set_handshake(transaction: Transaction, agent: Agent, revision_id: int, said: Handshake) -> None:
    """Keeps what the revision said of itself. The agent's own row stays as it is."""
    transaction.execute(_SQL["set_handshake"], {**_of(agent), "id": revision_id, **agents.said_params(said)})


def end_deployment(
    transaction: Transaction, agent: Agent, revision_id: int, said: Handshake | None, problem: str | None
) -> Revision:
    """The pending revision is ready, with what it said; or it failed, with the problem.

    Should two processes have deployed it, it is as the first one says.

    Raises:
        NotFound: it is gone, or its agent.
    """
    params: Params = {
        **_of(agent),
        "id": revision_id,
        "status": FAILED if problem else READY,
        "problem": problem,
        **agents.said_params(said),
    }
    transaction.execute(_SQL["end_deployment"], params)
    return get(transaction, agent, revision_id)


def delete(transaction: Transaction, agent: Agent, revision: Revision) -> Switch:
    """Deletes the revision. An agent whose served revision this was goes back to the former one.

    An agent whose current revision it was otherwise is not running then.
    """
    before = agents.locked(transaction, agent)
    transaction.execute(_SQL["delete"], {**_of(agent), "id": revision.id})
    return _deleted(transaction, before, revision)


def _deleted(transaction: Transaction, before: Agent, revision: Revision) -> Switch:
    if before.current_revision_id != revision.id:
        return Switch(before, before)
    former = find(transaction, before, revision.former_revision_id) if revision.is_served else None
    return make_current(transaction, before, former)


def serve(transaction: Transaction, agent: Agent, place: Served) -> Switch:
    """Makes the agent's served revision, new or changed, the current one."""
    now = agents.locked(transaction, agent).current_revision_id
    known = served(transaction, agent)
    if known is None:
        params: Params = {
            "status": READY,
            "is_served": 1,
            "former_revision_id": now,
            "lease_until": place.lease_until,
            **agents.said_params(place.said),
        }
        revision_id = _insert(transaction, agent, Source(url=place.url), params)
    else:
        revision_id = known.id
        params = {
            **_of(agent),
            "id": known.id,
            "url": place.url,
            "lease_until": place.lease_until,
            "former_revision_id": known.former_revision_id if now == known.id else now,
            **agents.said_params(place.said),
        }
        transaction.execute(_SQL["update_served"], params)
    return make_current(transaction, agent, get(transaction, agent, revision_id))


def set_former(transaction: Transaction, agent: Agent, revision_id: int, former_id: int) -> None:
    """What is current again when the served revision is gone."""
    transaction.execute(_SQL["set_former"], {**_of(agent), "id": revision_id, "former_id": former_id})


def renew(transaction: Transaction, agent: Agent, url: str, lease_until: int) -> bool:
    """Whether the agent is served at that address."""
    return transaction.execute(_SQL["renew"], {**_of(agent), "url": url, "lease_until": lease_until}) > 0


def restore_expired(transaction: Transaction, now: int, limit: int) -> list[Switch]:
    """Agents whose served revision outlived its lease go back to what was current before."""
    switches = []
    # In one order: processes that do so at once, and each wait for what the other has, would do it again.
    expired = sorted(transaction.rows(_SQL["expired"], {"now": now, "limit": limit}), key=lambda row: row[1])
    for owner_id, agent_id in expired:
        agent = agents.locked(transaction, agents.by_id(transaction, owner_id, agent_id))
        revision = served(transaction, agent)
        # Its program may have renewed the lease meanwhile, or another process ended it.
        if revision is not None and _delete_expired(transaction, revision, now):
            switches.append(_deleted(transaction, agent, revision))
    return switches


def _delete_expired(transaction: Transaction, revision: Revision, now: int) -> bool:
    params: Params = {"id": revision.id, "agent_id": revision.agent_id, "now": now}
    return transaction.execute(_SQL["delete_expired"], params) > 0


def next_expiry(transaction: Transaction) -> int | None:
    """When the next lease ends; None when nothing is leased."""
    row = transaction.row(_SQL["next_expiry"], {})
    return int(row[0]) if row and row[0] is not None else None


def extend_leases(transaction: Transaction, until: int) -> None:
    """No lease ends before then: their programs could not renew them while no platform ran."""
    transaction.execute(_SQL["extend_leases"], {"until": until})


def take_pending(transaction: Transaction, executor_id: str) -> list[tuple[Agent, Revision]]:
    """Gives the executor every pending revision whose own executor is no longer there."""
    found = []
    for (revision_id,) in transaction.rows(_SQL["take_pending"], {"executor_id": executor_id}):
        for owner_id, agent_id in transaction.rows(_SQL["owner"], {"id": revision_id}):
            agent = agents.by_id(transaction, owner_id, agent_id)
            found.append((agent, get(transaction, agent, revision_id)))
    return found


def current_among(transaction: Transaction, revision_ids: Sequence[int]) -> dict[int, Agent]:
    """Those of the revisions that are current, and of which agents."""
    if not revision_ids:
        return {}
    sql, listed = statements.with_list(_SQL["current_among"], "revision_ids", revision_ids)
    return {
        revision_id: agents.by_id(transaction, owner_id, agent_id)
        for revision_id, owner_id, agent_id in transaction.rows(sql, listed)
    }


def managed(transaction: Transaction, after: int, limit: int) -> list[Agent]:
    """Agents whose current revision the platform runs. For the start of a platform."""
    rows = transaction.rows(_SQL["managed"], {"after": after, "limit": limit})
    return [agents.by_id(transaction, owner_id, agent_id) for owner_id, agent_id in rows]


def packages(transaction: Transaction, agent: Agent) -> list[str]:
    """The hashes of the packages of the agent's revisions."""
    return [str(package_hash) for (package_hash,) in transaction.rows(_SQL["packages"], _of(agent))]


def _of(agent: Agent) -> Params:
    return {"agent_id": agent.id}


def _revision(row: Row) -> Revision:
    *before, queries, labels, is_served, former, created, is_current = row
    pairs = [(key, value) for key, value in json.loads(labels)]
    columns = (*before, json.loads(queries), pairs, bool(is_served), former, created, bool(is_current))
    return Revision(*columns)
