"""Revisions in the database: what is current, what is served, leases, and whose they are."""

import sqlite3
import time

import pytest

from fixieai import errors
from fixieai.storage import agents, executors, organizations, packages, removals, revisions
from fixieai.storage.agents import Agent, AgentChanges, Handshake
from fixieai.storage.revisions import Revision, Served, Source
from fixieai.storage.transaction import Transaction

SAID = Handshake("standalone", '{"type": "standalone"}', ["Hi"])


@pytest.fixture
def dice(transaction: Transaction, ann: int) -> Agent:
    return agents.insert(transaction, ann, "dice", AgentChanges())


def _external(transaction: Transaction, agent: Agent, url: str = "http://127.0.0.1:1") -> Revision:
    return revisions.insert(transaction, agent, Source(url=url), revisions.READY, SAID)


def _code(transaction: Transaction, agent: Agent, package_hash: str = "ab") -> Revision:
    source = Source(environment="PYTHON", package_hash=package_hash, labels=[("k", "v"), ("k", "w")])
    return revisions.insert(transaction, agent, source, revisions.PENDING)


def test_what_is_current_stands_in_the_agent_too(transaction: Transaction, dice: Agent) -> None:
    one = _external(transaction, dice)
    switch = revisions.make_current(transaction, dice, one)
    assert (switch.before.current_revision_id, switch.after.current_revision_id) == (None, one.id)
    assert (switch.after.url, switch.after.status, switch.after.queries) == (one.url, "online", ["Hi"])
    assert (switch.after.metadata, switch.after.refresh_status) == (SAID.metadata, "SUCCEEDED")
    assert revisions.get(transaction, dice, one.id).is_current
    assert revisions.make_current(transaction, dice, one, is_reachable=False).after.status == "unreachable"


def test_code_is_current_when_it_is_ready_and_never_when_it_failed(
    transaction: Transaction, dice: Agent
) -> None:
    code, broken = _code(transaction, dice), _code(transaction, dice)
    assert code.labels == [("k", "v"), ("k", "w")]
    with pytest.raises(errors.Conflict, match="still being deployed"):
        revisions.make_current(transaction, dice, code)
    broken = revisions.end_deployment(transaction, dice, broken.id, None, "It printed nothing.")
    with pytest.raises(errors.Conflict, match="It printed nothing"):
        revisions.make_current(transaction, dice, broken)
    assert [revision.id for _, revision in revisions.take_pending(transaction, "one")] == [code.id]
    code = revisions.end_deployment(transaction, dice, code.id, SAID, None)
    after = revisions.make_current(transaction, dice, code).after
    assert (after.url, after.environment, after.package_hash, after.type) == (
        None, "PYTHON", "ab", "standalone",
    )  # fmt: skip
    assert revisions.managed(transaction, 0, 10) == [after]
    assert revisions.take_pending(transaction, "one") == []


def test_a_served_revision_gives_way_to_what_was_current_before(
    transaction: Transaction, dice: Agent
) -> None:
    one, two = _external(transaction, dice), _external(transaction, dice)
    revisions.make_current(transaction, dice, one)
    first = revisions.serve(transaction, dice, Served("http://a", None, SAID)).after
    again = revisions.serve(transaction, dice, Served("http://b", None, SAID)).after
    assert (first.current_revision_id, again.url) == (again.current_revision_id, "http://b")
    served = revisions.served(transaction, dice)
    assert served is not None
    assert served.former_revision_id == one.id
    revisions.make_current(transaction, dice, two)
    revisions.serve(transaction, dice, Served("http://c", None, SAID))
    served = revisions.served(transaction, dice)
    assert served is not None
    assert served.former_revision_id == two.id
    revisions.delete(transaction, dice, two)
    assert revisions.delete(transaction, dice, served).after.status == "offline"
    assert revisions.served(transaction, dice) is None


def test_leases_end_and_are_renewed_by_the_address_that_holds_them(
    transaction: Transaction, dice: Agent
) -> None:
    assert revisions.next_expiry(transaction) is None
    one = _external(transaction, dice)
    revisions.make_current(transaction, dice, one)
    revisions.serve(transaction, dice, Served("http://a", 100, SAID))
    assert revisions.next_expiry(transaction) == 100
    assert revisions.restore_expired(transaction, 99, 10) == []
    assert not revisions.renew(transaction, dice, "http://b", 200)
    assert revisions.renew(transaction, dice, "http://a", 200)
    revisions.extend_leases(transaction, 150)
    assert revisions.next_expiry(transaction) == 200
    revisions.extend_leases(transaction, 250)
    (switch,) = revisions.restore_expired(transaction, 250, 10)
    assert switch.after.current_revision_id == one.id
    assert revisions.next_expiry(transaction) is None


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_agents_of_a_page_have_their_revisions_in_one_statement_each(
    transaction: Transaction, connection: sqlite3.Connection, ann: int, bob: int
) -> None:
    acme = organizations.create(transaction, ann, "acme", None)
    owned = [agents.insert(transaction, owner, f"a{owner}", AgentChanges()) for owner in (ann, bob, acme.id)]
    for agent in owned:
        made = [_external(transaction, agent, f"http://{number}") for number in range(3)]
        revisions.make_current(transaction, agent, made[1])
    ids = [agent.id for agent in owned]
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    newest = revisions.newest_of(transaction, ann, ids, 2)
    current = revisions.current_of(transaction, ann, ids)
    connection.set_trace_callback(None)
    assert len(seen) == 2
    assert set(newest) == set(current) == {owned[0].id, owned[2].id}
    for agent_id, found in newest.items():
        assert [each.url for each in found] == ["http://2", "http://1"]
        assert [each.is_current for each in found] == [False, True]
        assert current[agent_id] == found[1]
    assert revisions.newest_of(transaction, ann, [], 2) == {}
    assert revisions.current_of(transaction, ann, []) == {}


def test_a_revision_of_another_agent_does_not_exist(transaction: Transaction, ann: int, bob: int) -> None:
    mine = agents.insert(transaction, ann, "mine", AgentChanges())
    theirs = agents.insert(transaction, bob, "theirs", AgentChanges())
    revision = _external(transaction, theirs)
    with pytest.raises(errors.NotFound):
        revisions.get(transaction, mine, revision.id)
    assert revisions.page(transaction, mine, None, 10) == []
    agents.delete(transaction, theirs)
    with pytest.raises(errors.NotFound):
        revisions.get(transaction, theirs, revision.id)


def test_a_package_is_needed_while_any_revision_has_it(transaction: Transaction, dice: Agent) -> None:
    one, two = _code(transaction, dice, "ab"), _code(transaction, dice, "ab")
    _code(transaction, dice, "cd")
    assert sorted(revisions.packages(transaction, dice)) == ["ab", "cd"]
    revisions.delete(transaction, dice, one)
    assert not packages.BYTES.begin_removal(transaction, "ab")
    revisions.delete(transaction, dice, two)
    assert packages.BYTES.begin_removal(transaction, "ab")


def test_a_package_is_needed_while_it_is_about_to_be_a_revisions(
    transaction: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_id, forgotten = packages.hold(transaction, "ab"), packages.hold(transaction, "cd")
    assert not packages.BYTES.begin_removal(transaction, "ab")
    packages.let_go(transaction, hold_id)
    assert packages.BYTES.perhaps_unused(transaction, 10) == ["ab"]
    assert packages.BYTES.begin_removal(transaction, "ab")
    with pytest.raises(removals.BeingRemoved):
        packages.hold(transaction, "ab")
    packages.BYTES.end_removal(transaction, "ab")
    packages.let_go(transaction, packages.hold(transaction, "ab"))

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 901)
    assert forgotten
    assert sorted(packages.BYTES.perhaps_unused(transaction, 10)) == ["ab", "cd"]


def test_a_pending_revision_is_deployed_by_one_and_then_by_whoever_is_there(
    transaction: Transaction, dice: Agent
) -> None:
    for executor_id in ("one", "two"):
        executors.add(transaction, executor_id)
    source = Source(environment="PYTHON", package_hash="ab")
    revision = revisions.insert(transaction, dice, source, revisions.PENDING, executor_id="one")
    assert revisions.take_pending(transaction, "two") == []
    executors.remove(transaction, "one", 0)
    assert [each.id for _, each in revisions.take_pending(transaction, "two")] == [revision.id]
    assert revisions.take_pending(transaction, "two") == []


def test_the_first_who_says_how_a_deployment_ended_is_believed(transaction: Transaction, dice: Agent) -> None:
    code = _code(transaction, dice)
    revisions.end_deployment(transaction, dice, code.id, SAID, None)
    assert revisions.end_deployment(transaction, dice, code.id, None, "No.").status == revisions.READY


def test_what_is_current_is_told_from_what_was(transaction: Transaction, dice: Agent) -> None:
    one, two = _external(transaction, dice), _external(transaction, dice)
    revisions.make_current(transaction, dice, one)
    revisions.make_current(transaction, dice, two)
    found = revisions.current_among(transaction, [one.id, two.id, 7])
    assert {revision_id: agent.agent_id for revision_id, agent in found.items()} == {two.id: dice.agent_id}
    assert revisions.current_among(transaction, []) == {}
