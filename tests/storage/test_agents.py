import sqlite3

import pytest

from fixieai import errors
from fixieai.storage import agents, organizations, user_storage
from fixieai.storage.agents import Agent, AgentChanges, Current, Handshake
from fixieai.storage.transaction import Transaction


def _pages(transaction: Transaction, viewer_id: int, limit: int) -> list[Agent]:
    seen: list[Agent] = []
    while page := agents.page(transaction, viewer_id, str(seen[-1].id) if seen else None, limit):
        assert len(page) <= limit
        seen += page
    return seen


def test_what_an_owner_does_not_name_stays(transaction: Transaction, ann: int) -> None:
    first = agents.upsert(transaction, ann, "ann", "dice", AgentChanges("Dice", "Rolls.", "http://x", True))
    assert (first.agent_id, first.owner_kind, first.status, first.type, first.queries) == (
        "ann/dice", "user", "offline", "unknown", [],
    )  # fmt: skip
    assert (first.published, first.is_editable) == (True, True)
    renamed = agents.upsert(transaction, ann, "ann", "dice", AgentChanges(name=""))
    assert (renamed.id, renamed.name, renamed.description) == (first.id, "", "Rolls.")
    assert renamed.published is True
    assert renamed.modified > first.modified
    hidden = agents.upsert(transaction, ann, "ann", "dice", AgentChanges(published=False))
    assert (hidden.published, hidden.more_info_url) == (False, "http://x")
    assert hidden.created == first.created


def test_a_new_agent_is_private_empty_and_offline(transaction: Transaction, ann: int) -> None:
    new = agents.insert(transaction, ann, "dice", AgentChanges())
    assert (new.name, new.description, new.more_info_url, new.url) == ("", "", "", None)
    assert (new.status, new.refresh_status, new.metadata, new.published) == ("offline", "PENDING", "", False)
    assert (new.current_revision_id, new.environment, new.query_url, new.func_url) == (None,) * 4
    with pytest.raises(errors.Conflict, match="dice"):
        agents.insert(transaction, ann, "dice", AgentChanges())


def test_urls_of_old_clients_are_kept_and_an_empty_one_is_none(transaction: Transaction, ann: int) -> None:
    agent = agents.insert(transaction, ann, "dice", AgentChanges(query_url="http://q", func_url=""))
    assert (agent.query_url, agent.func_url) == ("http://q", None)
    agent = agents.update(transaction, agent, AgentChanges(func_url="http://f"))
    assert (agent.query_url, agent.func_url) == ("http://q", "http://f")
    agent = agents.update(transaction, agent, AgentChanges(query_url=""))
    assert (agent.query_url, agent.func_url) == (None, "http://f")


def test_a_renamed_agent_is_found_under_both_handles_with_what_it_keeps(
    transaction: Transaction, ann: int, bob: int
) -> None:
    dice = agents.insert(transaction, ann, "dice", AgentChanges())
    other = agents.insert(transaction, ann, "other", AgentChanges())
    user_storage.put(transaction, ann, "ann/dice", "last", "12")
    user_storage.put(transaction, bob, "ann/other", "last", "1")
    with pytest.raises(errors.Conflict, match="other"):
        agents.update(transaction, dice, AgentChanges(new_handle="other"))
    agents.update(transaction, dice, AgentChanges(new_handle="dice", name="the same"))
    d20 = agents.update(transaction, dice, AgentChanges(new_handle="d20"))
    assert (d20.id, d20.handle, d20.name) == (dice.id, "d20", "the same")
    for handle in ("dice", "d20"):
        seen = agents.get(transaction, ann, "ann", handle)
        assert seen is not None
        assert seen.agent_id == "ann/d20"
        assert agents.get(transaction, bob, "ann", handle) is None
    assert user_storage.get(transaction, ann, "ann/d20", "last") == "12"
    assert user_storage.get(transaction, ann, "ann/dice", "last") is None
    assert user_storage.get(transaction, bob, "ann/other", "last") == "1"
    new = agents.upsert(transaction, ann, "ann", "dice", AgentChanges())
    assert new.id not in (dice.id, other.id)
    again = agents.get(transaction, ann, "ann", "dice")
    assert again is not None
    assert again.id == new.id
    agents.delete(transaction, d20)
    assert agents.get(transaction, ann, "ann", "d20") is None


def test_an_agent_renamed_there_and_back_keeps_what_it_stored(transaction: Transaction, ann: int) -> None:
    dice = agents.insert(transaction, ann, "dice", AgentChanges())
    user_storage.put(transaction, ann, "ann/dice", "last", "12")
    d20 = agents.update(transaction, dice, AgentChanges(new_handle="d20"))
    agents.update(transaction, d20, AgentChanges(new_handle="dice"))
    assert user_storage.get(transaction, ann, "ann/dice", "last") == "12"
    seen = agents.get(transaction, ann, "ann", "d20")
    assert seen is not None
    assert seen.handle == "dice"


def test_a_handshake_is_kept(transaction: Transaction, ann: int) -> None:
    agent = agents.insert(transaction, ann, "dice", AgentChanges())
    handshake = Handshake("code_shot", '{"type": "code_shot"}', ["Roll a d20", "Würfle"])
    agent = agents.set_current(
        transaction, agent, Current(5, url="http://127.0.0.1:1", status="online", said=handshake)
    )
    assert (agent.type, agent.metadata, agent.status) == ("code_shot", '{"type": "code_shot"}', "online")
    assert (agent.current_revision_id, agent.url, agent.refresh_status) == (
        5, "http://127.0.0.1:1", "SUCCEEDED",
    )  # fmt: skip
    assert agent.queries == ["Roll a d20", "Würfle"]
    agents.set_unreachable(transaction, agent)
    seen = agents.get(transaction, ann, "ann", "dice")
    assert seen is not None
    assert (seen.status, seen.refresh_status, seen.modified) == ("unreachable", "FAILED", agent.modified)
    changed = agents.set_handshake(transaction, agent, Handshake("standalone", "{}", []))
    assert (changed.type, changed.status, changed.refresh_status) == ("standalone", "online", "SUCCEEDED")
    stopped = agents.set_current(transaction, agent, Current())
    assert (stopped.type, stopped.status, stopped.url) == ("standalone", "offline", None)
    agents.set_unreachable(transaction, agent)
    assert agents.by_id(transaction, ann, agent.id).status == "offline"


def test_one_sees_one_s_own_and_what_others_published(transaction: Transaction, ann: int, bob: int) -> None:
    for owner, handle, published in (
        (ann, "private", False), (bob, "hidden", False), (bob, "shown", True), (ann, "public", True),
    ):  # fmt: skip
        agents.insert(transaction, owner, handle, AgentChanges(published=published))
    for limit in (1, 2, 10):
        assert [(a.owner, a.handle) for a in _pages(transaction, ann, limit)] == [
            ("ann", "private"), ("bob", "shown"), ("ann", "public"),
        ]  # fmt: skip
    assert agents.get(transaction, ann, "bob", "hidden") is None
    assert agents.get(transaction, ann, "bob", "shown") is not None
    assert agents.get(transaction, ann, "ann", "private") is not None
    assert agents.get(transaction, ann, "nobody", "private") is None


def test_only_the_owner_changes_and_deletes(transaction: Transaction, ann: int, bob: int) -> None:
    agent = agents.insert(transaction, ann, "dice", AgentChanges(published=True))
    for call in (
        lambda: agents.editable(transaction, bob, "ann", "dice"),
        lambda: agents.upsert(transaction, bob, "ann", "dice", AgentChanges()),
        lambda: agents.upsert(transaction, bob, "ann", "new", AgentChanges()),
        lambda: agents.by_id(transaction, bob, agent.id),
    ):
        with pytest.raises(errors.NotFound):
            call()
    assert agents.delete(transaction, agents.editable(transaction, ann, "ann", "dice"))
    assert not agents.delete(transaction, agent)
    assert agents.get(transaction, ann, "ann", "dice") is None


def test_members_see_and_change_what_their_organisation_owns(
    transaction: Transaction, ann: int, bob: int
) -> None:
    acme = organizations.create(transaction, ann, "acme", "Acme Inc.")
    agent = agents.upsert(transaction, ann, "acme", "dice", AgentChanges(name="Dice"))
    assert (agent.owner, agent.owner_kind, agent.owner_name) == ("acme", "organization", "Acme Inc.")
    assert agents.get(transaction, bob, "acme", "dice") is None
    assert agents.page(transaction, bob, None, 10) == []
    organizations.put_member(transaction, acme, "bob", "member")
    assert agents.editable(transaction, bob, "acme", "dice").name == "Dice"
    assert [a.agent_id for a in agents.page(transaction, bob, None, 10)] == ["acme/dice"]
    assert [s.agent_id for s in agents.samples(transaction, bob, 10)] == ["acme/dice"]
    organizations.remove_member(transaction, acme, "bob")
    assert agents.get(transaction, bob, "acme", "dice") is None


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_a_listing_does_not_walk_past_other_agents(
    transaction: Transaction, connection: sqlite3.Connection, ann: int, bob: int
) -> None:
    agents.insert(transaction, ann, "first", AgentChanges())
    acme = organizations.create(transaction, bob, "acme", None)
    organizations.put_member(transaction, acme, "ann", "member")
    connection.execute("BEGIN")
    for number in range(5_000):
        agents.insert(transaction, bob, f"hidden-{number}", AgentChanges())
    agents.insert(transaction, ann, "last", AgentChanges())
    for number in range(5_000):
        agents.insert(transaction, acme.id, f"of-acme-{number}", AgentChanges())
    connection.execute("COMMIT")
    steps = [0]

    def step() -> int:
        steps[0] += 1
        return 0

    connection.set_progress_handler(step, 1)
    seen = agents.page(transaction, ann, None, 5)
    connection.set_progress_handler(None, 1)
    assert [agent.handle for agent in seen] == ["first", "last", "of-acme-0", "of-acme-1", "of-acme-2"]
    assert steps[0] < 1_500
