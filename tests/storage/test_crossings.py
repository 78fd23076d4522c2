"""Two processes on one Postgres change the same, the second in the middle of the first one's transaction."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from fixieai import errors
from fixieai.storage import (
    agents,
    embeds,
    integrity,
    messages,
    organizations,
    postgres_connection,
    queries,
    retention,
    revisions,
    sessions,
    usage,
    user_storage,
    users,
)
from fixieai.storage.agents import Agent, AgentChanges, Handshake
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.postgres_connection import PostgresTransaction
from fixieai.storage.queries import NewQuery
from fixieai.storage.retention import OldRevision
from fixieai.storage.revisions import Served, Source
from fixieai.storage.transaction import Row, Transaction

_Work = Callable[[Transaction], object]
_SAID = Handshake("standalone", '{"type": "standalone"}', ["Hi"])


class Crossing:
    """Two connections, and a third to look at them."""

    def __init__(
        self, one: psycopg.Connection[Row], two: psycopg.Connection[Row], watch: Transaction
    ) -> None:
        self._one, self._two = one, two
        self.watch = watch

    def run(self, first: _Work, second: _Work) -> None:
        """The second begins when the first has done all but its commit, and then waits for it, or ends."""
        self.run_around(first, second, lambda _: None)

    def run_around(self, begin: _Work, second: _Work, end: _Work) -> None:
        """The second waits for what the first has begun, and the first goes on behind that."""
        with ThreadPoolExecutor() as threads:
            with self._one.transaction():
                begin(PostgresTransaction(self._one))
                doing = threads.submit(self._do, second)
                while not doing.done() and not self._waits():
                    time.sleep(0.01)
                end(PostgresTransaction(self._one))
            doing.result(60)

    def _do(self, work: _Work) -> None:
        with self._two.transaction():
            work(PostgresTransaction(self._two))

    def _waits(self) -> bool:
        params = {"pid": self._two.info.backend_pid}
        sql = "SELECT 1 FROM pg_stat_activity WHERE pid = :pid AND wait_event_type = 'Lock'"
        return self.watch.row(sql, params) is not None


@pytest.fixture
def crossing(postgres_url: str) -> Iterator[Crossing]:
    connect = postgres_connection.connect
    with connect(postgres_url) as one, connect(postgres_url) as two, connect(postgres_url) as watch:
        yield Crossing(one, two, PostgresTransaction(watch))


@pytest.fixture
def ann(crossing: Crossing) -> int:
    return users.ensure(crossing.watch, "ann").id


@pytest.fixture
def dice(crossing: Crossing, ann: int) -> Agent:
    return agents.insert(crossing.watch, ann, "dice", AgentChanges())


def test_a_session_that_is_deleted_while_somebody_asks_in_it_leaves_nothing(
    crossing: Crossing, ann: int
) -> None:
    session = sessions.create(crossing.watch, ann, "s")
    new = NewQuery(NewMessage("query", "Go", sender="user"), "one")
    crossing.run(
        lambda transaction: queries.begin(transaction, ann, session.id, new),
        lambda transaction: sessions.delete(transaction, ann, session.id),
    )

    assert sessions.get(crossing.watch, ann, "s") is None
    assert crossing.watch.rows("SELECT id FROM queries", {}) == []
    assert integrity.findings(crossing.watch) == []


def test_what_an_agent_stores_while_it_is_renamed_goes_with_it(
    crossing: Crossing, ann: int, dice: Agent
) -> None:
    user_storage.put(crossing.watch, ann, dice.agent_id, "before", "1")
    crossing.run(
        lambda transaction: user_storage.put(transaction, ann, dice.agent_id, "meanwhile", "2"),
        lambda transaction: agents.update(transaction, dice, AgentChanges(new_handle="cubes")),
    )

    assert [each.key for each in user_storage.keys(crossing.watch, ann, "ann/cubes", None, 10)] == [
        "before",
        "meanwhile",
    ]
    assert user_storage.keys(crossing.watch, ann, "ann/dice", None, 10) == []
    assert integrity.findings(crossing.watch) == []


def test_of_an_agent_that_is_gone_nothing_is_left_to_one_that_gets_its_name(
    crossing: Crossing, ann: int, dice: Agent
) -> None:
    user_storage.put(crossing.watch, ann, "ann/cubes", "before", "1")
    crossing.run(
        lambda transaction: user_storage.put(transaction, ann, "ann/cubes", "meanwhile", "2"),
        lambda transaction: agents.update(transaction, dice, AgentChanges(new_handle="cubes")),
    )

    assert user_storage.keys(crossing.watch, ann, "ann/cubes", None, 10) == []
    assert integrity.findings(crossing.watch) == []


def test_of_who_is_removed_nothing_is_left_that_an_agent_stores_meanwhile(
    crossing: Crossing, ann: int
) -> None:
    user_storage.put(crossing.watch, ann, "local/dice", "before", "1")
    crossing.run(
        lambda transaction: user_storage.put(transaction, ann, "local/dice", "meanwhile", "2"),
        lambda transaction: users.erase(transaction, ann),
    )

    assert user_storage.keys(crossing.watch, ann, "local/dice", None, 10) == []


def test_a_revision_that_becomes_current_is_not_removed_as_an_old_one(
    crossing: Crossing, dice: Agent
) -> None:
    source = Source(url="http://127.0.0.1:1")
    old, new = [revisions.insert(crossing.watch, dice, source, revisions.READY, _SAID) for _ in range(2)]
    revisions.make_current(crossing.watch, dice, new)
    crossing.run(
        lambda transaction: revisions.make_current(transaction, dice, old),
        lambda transaction: retention.remove_revisions(transaction, [OldRevision(old.id, None)]),
    )

    now = agents.by_id(crossing.watch, dice.owner_id, dice.id)
    assert now.current_revision_id == old.id
    assert integrity.findings(crossing.watch) == []


def test_a_key_that_two_use_at_once_names_one_content(crossing: Crossing, ann: int) -> None:
    session = sessions.create(crossing.watch, ann, "s")
    one, two = (NewEmbed(number, "pic", "user", "image/png", str(number), 1) for number in (1, 2))
    with pytest.raises(errors.Conflict):
        crossing.run(
            lambda transaction: embeds.upload(transaction, ann, session.id, one),
            lambda transaction: embeds.upload(transaction, ann, session.id, two),
        )

    assert [each.id for each in embeds.page(crossing.watch, ann, session.id, None, 10)] == [1]


def test_what_a_call_beside_a_query_cost_is_counted_while_a_line_of_the_query_is_stored(
    crossing: Crossing, ann: int
) -> None:
    session = sessions.create(crossing.watch, ann, "s")
    question = NewMessage("query", "Go", sender="user")
    query = queries.begin(crossing.watch, ann, session.id, NewQuery(question, "one"))
    place = Place(ann, session.id, query.id, "one")
    spent = usage.Spent("2026-01-31", "ann/dice", 1, 2, 3)
    usage.add_tokens(crossing.watch, ann, spent)
    crossing.run_around(
        lambda transaction: messages.append(transaction, place, NewMessage("thought", "Hm", sender="a")),
        lambda transaction: usage.spend_in_session(transaction, ann, "s", spent),
        lambda transaction: usage.add_tokens(transaction, ann, spent),
    )

    assert usage.of_session(crossing.watch, ann, "s") == 3
    assert [row.tokens for row in usage.of_day(crossing.watch, ann, "2026-01-31")] == [9]


def _answered(transaction: Transaction, owner_id: int, session_id: int) -> None:
    """Two messages more."""
    question = NewMessage("query", "Go", sender="user")
    query = queries.begin(transaction, owner_id, session_id, NewQuery(question, "one"))
    place = Place(owner_id, session_id, query.id, "one")
    queries.finish(transaction, place, "answered", NewMessage("response", "Gone", sender="a"))


@pytest.mark.parametrize(
    "first",
    [
        lambda transaction: retention.remove_nobodys(transaction, 3),
        lambda transaction: retention.trim_sessions(transaction, time.time() + 1, 0, 3),
    ],
    ids=["removed", "trimmed"],
)
def test_of_a_session_that_two_remove_at_once_no_query_is_left(
    crossing: Crossing, ann: int, first: _Work
) -> None:
    session = sessions.create(crossing.watch, ann, "s")
    for _ in range(4):
        _answered(crossing.watch, ann, session.id)
    assert retention.give_to_nobody(crossing.watch, [session.id], time.time() + 1) == 1

    crossing.run(first, lambda transaction: retention.remove_nobodys(transaction, 3))

    while retention.remove_nobodys(crossing.watch, 3) is not None:
        pass
    assert crossing.watch.rows("SELECT id FROM queries", {}) == []
    assert integrity.findings(crossing.watch) == []


def test_an_organisation_that_gets_an_agent_at_that_moment_is_not_deleted(
    crossing: Crossing, ann: int
) -> None:
    acme = organizations.create(crossing.watch, ann, "acme", None)
    with pytest.raises(errors.Conflict, match="owns agents"):
        crossing.run(
            lambda transaction: agents.insert(transaction, acme.id, "dice", AgentChanges()),
            lambda transaction: organizations.delete(
                transaction, organizations.locked(transaction, ann, "acme")
            ),
        )

    assert organizations.get(crossing.watch, ann, "acme") == acme


def test_an_organisation_that_is_deleted_at_that_moment_gets_no_agent(crossing: Crossing, ann: int) -> None:
    acme = organizations.create(crossing.watch, ann, "acme", None)
    with pytest.raises(errors.NotFound):
        crossing.run(
            lambda transaction: organizations.delete(
                transaction, organizations.locked(transaction, ann, "acme")
            ),
            lambda transaction: agents.insert(transaction, acme.id, "dice", AgentChanges()),
        )


def test_agents_whose_leases_end_together_are_taken_in_one_order(crossing: Crossing, ann: int) -> None:
    older, newer = [agents.insert(crossing.watch, ann, name, AgentChanges()) for name in ("a", "b")]
    for agent, until in ((newer, 1), (older, 2)):
        revisions.serve(crossing.watch, agent, Served("http://127.0.0.1:1", until, _SAID))
    crossing.run_around(
        lambda transaction: agents.locked(transaction, older),
        lambda transaction: revisions.restore_expired(transaction, 10, 10),
        lambda transaction: agents.locked(transaction, newer),
    )

    assert revisions.next_expiry(crossing.watch) is None
