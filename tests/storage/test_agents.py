import sqlite3

import pytest

from fixieai import errors
from fixieai.storage import agents
from fixieai.storage.agents import Agent, AgentChanges, Handshake
from fixieai.storage.transaction import Transaction


def _pages(transaction: Transaction, viewer_id: int, limit: int) -> list[Agent]:
    seen: list[Agent] = []
    while page := agents.page(transaction, viewer_id, str(seen[-1].id) if seen else None, limit):
        assert len(page) <= limit
        seen += page
    return seen


def test_what_an_owner_does_not_name_stays(transaction: Transaction, ann: int) -> None:
    first = agents.upsert(
        transaction, ann, "dice", AgentChanges("Dice", "Rolls.", "http://x", "http://127.0.0.1:8181", True)
    )
    assert (first.owner, first.handle, first.status, first.type, first.queries) == (
        "ann", "dice", "online", "unknown", [],
    )  # fmt: skip
    assert first.published is True
    renamed = agents.upsert(transaction, ann, "dice", AgentChanges(name=""))
    assert (renamed.id, renamed.name, renamed.description, renamed.url) == (
        first.id, "", "Rolls.", "http://127.0.0.1:8181",
    )  # fmt: skip
    assert (renamed.published, renamed.status) == (True, "online")
    assert renamed.modified > first.modified
    stopped = agents.upsert(transaction, ann, "dice", AgentChanges(url=None, published=False))
    assert (stopped.url, stopped.status, stopped.published, stopped.more_info_url) == (
        None, "offline", False, "http://x",
    )  # fmt: skip
    assert stopped.created == first.created


def test_a_new_agent_is_private_empty_and_offline(transaction: Transaction, ann: int) -> None:
    new = agents.upsert(transaction, ann, "dice", AgentChanges())
    assert (new.name, new.description, new.more_info_url, new.url) == ("", "", "", None)
    assert (new.status, new.metadata, new.published) == ("offline", "", False)


def test_a_handshake_is_kept(transaction: Transaction, ann: int, bob: int) -> None:
    agents.upsert(transaction, ann, "dice", AgentChanges())
    handshake = Handshake("code_shot", '{"type": "code_shot"}', ["Roll a d20", "Würfle"])
    agent = agents.set_handshake(transaction, ann, "dice", handshake)
    assert (agent.type, agent.metadata, agent.status) == ("code_shot", '{"type": "code_shot"}', "online")
    assert agent.queries == ["Roll a d20", "Würfle"]
    assert agents.set_status(transaction, ann, "dice", "unreachable")
    seen = agents.get(transaction, ann, "ann", "dice")
    assert seen is not None
    assert (seen.status, seen.modified) == ("unreachable", agent.modified)
    assert not agents.set_status(transaction, bob, "dice", "online")
    with pytest.raises(errors.NotFound):
        agents.set_handshake(transaction, bob, "dice", handshake)


def test_one_sees_one_s_own_and_what_others_published(transaction: Transaction, ann: int, bob: int) -> None:
    for owner, handle, published in (
        (ann, "private", False), (bob, "hidden", False), (bob, "shown", True), (ann, "public", True),
    ):  # fmt: skip
        agents.upsert(transaction, owner, handle, AgentChanges(published=published))
    for limit in (1, 2, 10):
        assert [(a.owner, a.handle) for a in _pages(transaction, ann, limit)] == [
            ("ann", "private"), ("bob", "shown"), ("ann", "public"),
        ]  # fmt: skip
    assert agents.get(transaction, ann, "bob", "hidden") is None
    assert agents.get(transaction, ann, "bob", "shown") is not None
    assert agents.get(transaction, ann, "ann", "private") is not None
    assert agents.get(transaction, ann, "nobody", "private") is None


def test_only_the_owner_deletes(transaction: Transaction, ann: int, bob: int) -> None:
    agents.upsert(transaction, ann, "dice", AgentChanges(published=True))
    assert not agents.delete(transaction, bob, "dice")
    assert agents.delete(transaction, ann, "dice")
    assert not agents.delete(transaction, ann, "dice")
    assert agents.get(transaction, ann, "ann", "dice") is None


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_a_listing_does_not_walk_past_the_hidden_agents_of_others(
    transaction: Transaction, connection: sqlite3.Connection, ann: int, bob: int
) -> None:
    agents.upsert(transaction, ann, "first", AgentChanges())
    connection.execute("BEGIN")
    for number in range(5_000):
        agents.upsert(transaction, bob, f"hidden-{number}", AgentChanges())
    connection.execute("COMMIT")
    agents.upsert(transaction, ann, "last", AgentChanges())
    steps = [0]

    def step() -> int:
        steps[0] += 1
        return 0

    connection.set_progress_handler(step, 1)
    assert [agent.handle for agent in agents.page(transaction, ann, None, 50)] == ["first", "last"]
    connection.set_progress_handler(None, 1)
    assert steps[0] < 1_000
