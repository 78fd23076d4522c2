"""What is removed in the course of time: a bounded number of rows at once, and nothing that is in use."""

import asyncio
import time

import pytest

from fixieai import errors
from fixieai.storage import (
    agents,
    api_keys,
    authorizations,
    embeds,
    ids,
    integrity,
    invitations,
    messages,
    oauth,
    queries,
    retention,
    revisions,
    sessions,
    usage,
)
from fixieai.storage.agents import Agent, AgentChanges
from fixieai.storage.authorizations import Authorization
from fixieai.storage.database import Database, connect
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.queries import NewQuery
from fixieai.storage.revisions import Source
from fixieai.storage.transaction import Transaction

_HASH = "ab" * 32


def _ask(transaction: Transaction, owner_id: int, session_id: int, *, lines: int = 3) -> int:
    """A query of so many lines between question and answer."""
    new = NewQuery(NewMessage("query", "Roll"), "one")
    query = queries.begin(transaction, owner_id, session_id, new)
    place = Place(owner_id, session_id, query.id, "one")
    for number in range(lines):
        messages.append(transaction, place, NewMessage("thought", str(number)))
    queries.finish(transaction, place, "answered", NewMessage("response", "12"))
    return query.id


def _positions(transaction: Transaction, owner_id: int, session_id: int) -> list[int]:
    return [each.position for each in messages.page(transaction, owner_id, session_id, 0, 1_000)]


def _attach(transaction: Transaction, owner_id: int, session_id: int, content_hash: str) -> None:
    new = NewEmbed(ids.new_id(), "key", "user", "text/plain", content_hash, 5)
    embeds.insert(transaction, owner_id, session_id, new)


def _remove_idle(transaction: Transaction, until: float) -> int:
    """Removes idle sessions slice by slice; how many slices it took."""
    retention.give_to_nobody(transaction, retention.idle_sessions(transaction, until, 0, 100), until)
    slices = 0
    while (removed := retention.remove_nobodys(transaction, 4)) is not None:
        assert removed.messages <= 4
        assert removed.embeds <= 4
        slices += 1
    return slices


def test_a_session_that_nobody_asks_in_goes_whole_and_in_slices(transaction: Transaction, ann: int) -> None:
    old = sessions.create(transaction, ann, "old")
    queries_of_old = [_ask(transaction, ann, old.id) for _ in range(3)]
    for number in range(6):
        _attach(transaction, ann, old.id, f"{number:064}")
    until = time.time()
    new = sessions.create(transaction, ann, "new")
    kept = _ask(transaction, ann, new.id)

    assert retention.inside_sessions(transaction, [old.id]) == retention.Inside(15, 6, 30)
    assert _remove_idle(transaction, until) == 4
    assert sessions.get(transaction, ann, "old") is None
    assert [queries.get(transaction, ann, each) for each in queries_of_old] == [None] * 3
    assert len(embeds.BYTES.perhaps_unused(transaction, 100)) == 6
    assert queries.get(transaction, ann, kept) is not None
    assert _positions(transaction, ann, new.id) == [1, 2, 3, 4, 5]
    assert sessions.create(transaction, ann, "old")


def test_a_session_of_nobody_is_at_once_gone_for_its_owner(transaction: Transaction, ann: int) -> None:
    session = sessions.create(transaction, ann, "s")
    query_id = _ask(transaction, ann, session.id)
    assert retention.give_to_nobody(transaction, [session.id], time.time() + 1) == 1
    assert sessions.page(transaction, ann, None, 10) == []
    assert messages.page(transaction, ann, session.id, 0, 10) == []
    assert queries.get(transaction, ann, query_id) is None
    with pytest.raises(errors.NotFound):
        queries.begin(transaction, ann, session.id, NewQuery(NewMessage("query", "?"), "one"))


def test_a_session_in_which_a_query_runs_or_has_just_begun_stays(transaction: Transaction, ann: int) -> None:
    running = sessions.create(transaction, ann, "running")
    asked = sessions.create(transaction, ann, "asked")
    queries.begin(transaction, ann, running.id, NewQuery(NewMessage("query", "?"), "one"))
    until = time.time()
    assert retention.idle_sessions(transaction, until, 0, 10) == [asked.id]
    _ask(transaction, ann, asked.id)  # between finding it and taking it
    assert retention.give_to_nobody(transaction, [running.id, asked.id], until) == 0
    assert len(sessions.page(transaction, ann, None, 10)) == 2


def _trim(transaction: Transaction, until: float, limit: int) -> int:
    after, rows = 0, 0
    while True:
        seen = retention.trim_sessions(transaction, until, after, limit)
        assert seen.rows <= limit
        rows += seen.rows
        if seen.after is None:
            return rows
        after = seen.after


@pytest.mark.parametrize("limit", [2, 5, 100])
def test_old_queries_go_from_the_beginning_and_leave_no_gap(
    transaction: Transaction, ann: int, limit: int
) -> None:
    long, short = sessions.create(transaction, ann, "long"), sessions.create(transaction, ann, "short")
    old = [_ask(transaction, ann, long.id) for _ in range(3)]
    alone = _ask(transaction, ann, short.id)
    until = time.time()
    kept = [_ask(transaction, ann, long.id) for _ in range(2)]

    counted = retention.count_old_messages(transaction, until, 0, 1_000)
    assert counted == retention.Slice(15, None)
    assert _trim(transaction, until, limit) == 15
    assert _positions(transaction, ann, long.id) == list(range(16, 26))
    assert [queries.get(transaction, ann, each) is None for each in (*old, *kept)] == [True] * 3 + [False] * 2
    # The newest query stays, so that positions are never given out twice.
    assert queries.get(transaction, ann, alone) is not None
    assert _positions(transaction, ann, short.id) == [1, 2, 3, 4, 5]
    assert _trim(transaction, until, limit) == 0


def test_a_platform_that_stops_between_slices_leaves_everything_in_order(
    transaction: Transaction, ann: int
) -> None:
    long, old = sessions.create(transaction, ann, "long"), sessions.create(transaction, ann, "old")
    for session in (long, old):
        for _ in range(3):
            _ask(transaction, ann, session.id)
    until = time.time()
    _ask(transaction, ann, long.id)
    retention.give_to_nobody(transaction, [old.id], until)
    while retention.remove_nobodys(transaction, 2) is not None:
        assert integrity.findings(transaction) == []
    seen = retention.Slice(0, 0)
    while seen.after is not None:
        seen = retention.trim_sessions(transaction, until, seen.after, 2)
        assert integrity.findings(transaction) == []


def test_counts_of_old_days_go_person_by_person(transaction: Transaction, ann: int, bob: int) -> None:
    for user_id in (ann, bob):
        for day in ("2026-01-30", "2026-01-31", "2026-02-01"):
            usage.add_storage_calls(transaction, user_id, day, 1)
    until = 1769904000.0 + 3600  # 2026-02-01, 01:00 UTC
    assert retention.count_usage(transaction, until) == 4
    seen, removed = retention.Slice(0, 0), 0
    while seen.after is not None:
        seen = retention.remove_usage(transaction, until, seen.after, 1)
        removed += seen.rows
    assert removed == 4
    assert [bool(usage.of_day(transaction, ann, f"2026-0{day}")) for day in ("1-31", "2-01")] == [False, True]


def test_what_can_no_longer_be_used_goes(transaction: Transaction, ann: int, bob: int) -> None:
    now = int(time.time())
    for user_id, name, expires in ((ann, "old", now - 100), (bob, "new", now + 100)):
        authorizations.put(transaction, name, Authorization(user_id, "", "http://a", None, expires))
        invitations.put(transaction, user_id, name, expires)
        oauth.begin_flow(transaction, user_id, "ann/dice", name, now - 200, expires)
        api_keys.create(transaction, user_id, f"{name} page", "", expires)
        api_keys.create(transaction, user_id, f"{name} lasting", "")
    api_keys.revoke(transaction, ann, "old lasting")

    kinds = ("authorizations", "flows", "invitations", "keys")
    counts = [retention.count_ended(transaction, kind, now - 50) for kind in kinds]
    assert counts == [1, 1, 1, 1]
    assert [retention.remove_ended(transaction, kind, now + 50, 10) for kind in kinds] == [1, 1, 1, 2]
    assert [retention.remove_ended(transaction, kind, now + 50, 10) for kind in kinds] == [0, 0, 0, 0]
    assert authorizations.take(transaction, "new") is not None
    assert invitations.invited(transaction, "new") is not None
    assert oauth.flow(transaction, "new", now) is not None
    assert {key.id for key in api_keys.of_user(transaction, bob)} == {"new page", "new lasting"}


def test_every_kind_of_what_ends_can_be_counted_and_removed(transaction: Transaction) -> None:
    for kind in retention.ENDED:
        assert retention.count_ended(transaction, kind, time.time()) == 0
        assert retention.remove_ended(transaction, kind, time.time(), 10) == 0


def _revision(transaction: Transaction, agent: Agent, status: str, package: str) -> int:
    source = Source(environment="PYTHON", package_hash=package * 64)
    return revisions.insert(transaction, agent, source, status).id


def test_code_that_is_not_current_goes_and_failures_before_it(transaction: Transaction, ann: int) -> None:
    agent = agents.upsert(transaction, ann, "ann", "dice", AgentChanges())
    old, current = (_revision(transaction, agent, "ready", each) for each in "ab")
    failed, pending = (
        _revision(transaction, agent, "failed", "c"),
        _revision(transaction, agent, "pending", "d"),
    )
    revisions.make_current(transaction, agent, revisions.get(transaction, agent, current))
    now = time.time()

    def found(until: float, failed_until: float) -> list[int]:
        return [each.id for each in retention.old_revisions(transaction, until, failed_until, 0, 10)]

    assert found(0, 0) == []
    assert found(0, now) == [failed]
    assert found(now, now) == [old, failed]
    both = retention.old_revisions(transaction, now, now, 0, 10)
    revisions.make_current(transaction, agent, revisions.get(transaction, agent, old))  # meanwhile
    assert [each.id for each in retention.remove_revisions(transaction, both)] == [failed]
    left = {each.id for each in revisions.page(transaction, agent, None, 10)}
    assert left == {old, current, pending}


def test_what_a_served_revision_leads_back_to_stays(transaction: Transaction, ann: int) -> None:
    agent = agents.upsert(transaction, ann, "ann", "dice", AgentChanges())
    former = revisions.get(transaction, agent, _revision(transaction, agent, "ready", "a"))
    revisions.make_current(transaction, agent, former)
    place = revisions.Served("http://127.0.0.1:1", None, agents.Handshake("unknown", "", []))
    revisions.serve(transaction, agent, place)
    assert retention.old_revisions(transaction, time.time(), time.time(), 0, 10) == []


def test_bytes_are_unused_when_nobody_has_or_holds_them(transaction: Transaction, ann: int) -> None:
    session = sessions.create(transaction, ann, "s")
    _attach(transaction, ann, session.id, _HASH)
    embeds.hold(transaction, 7, "cd" * 32)
    embeds.hold(transaction, 8, "ef" * 32)
    embeds.let_go(transaction, [8])
    hashes = [_HASH, "cd" * 32, "ef" * 32, "01" * 32]
    assert retention.unused_by_embeds(transaction, hashes, int(time.time())) == hashes[2:]
    agent = agents.upsert(transaction, ann, "ann", "dice", AgentChanges())
    _revision(transaction, agent, "failed", "a")
    packages = ["a" * 64, "b" * 64]
    assert retention.unused_by_revisions(transaction, packages, int(time.time())) == packages[1:]
    assert retention.unused_by_revisions(transaction, [], 0) == []


async def _remove_all(database: Database, until: float) -> None:
    found = await database.read(retention.idle_sessions, until, 0, 100)
    await database.write(retention.give_to_nobody, found, until)
    while await database.write(retention.remove_nobodys, 3) is not None:
        pass
    seen = retention.Slice(0, 0)
    while seen.after is not None:
        seen = await database.write(retention.trim_sessions, until, seen.after, 3)


async def test_several_platforms_remove_the_same_at_once(
    database: Database, owner_id: int, postgres_url: str, request: pytest.FixtureRequest
) -> None:
    def fill(transaction: Transaction, number: int) -> None:
        session = sessions.create(transaction, owner_id, f"session-{number}")
        for _ in range(3):
            _ask(transaction, owner_id, session.id)
            _attach(transaction, owner_id, session.id, f"{number:064}")

    for number in range(10):
        await database.write(fill, number)
    until = time.time()
    await database.write(fill, 10)
    others = [await connect(postgres_url) for _ in range(2)] if "postgres" in request.node.name else []
    await asyncio.gather(*(_remove_all(each, until) for each in (database, *others)))
    (left,) = await database.read(sessions.page, owner_id, None, 100)
    assert len(await database.read(messages.page, owner_id, left.id, 0, 100)) == 15
    assert len(await database.read(embeds.BYTES.perhaps_unused, 100)) == 10
    for each in others:
        await each.close()
