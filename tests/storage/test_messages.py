import sqlite3
from dataclasses import replace

import pytest

from fixieai import errors
from fixieai.storage import messages, queries, sessions
from fixieai.storage.messages import Message, NewMessage, Place
from fixieai.storage.queries import NewQuery, Query
from fixieai.storage.transaction import Transaction


def _query(transaction: Transaction, owner_id: int, handle: str = "s") -> Query:
    session = sessions.create(transaction, owner_id, handle)
    question = NewMessage("query", "Roll a d20", sender="user")
    return queries.begin(transaction, owner_id, session.id, NewQuery(question, "one", "ann/dice"))


def _fill(transaction: Transaction, owner_id: int, query: Query, count: int) -> None:
    for number in range(count):
        line = NewMessage("thought", str(number))
        messages.append(transaction, Place(owner_id, query.session_id, query.id, "one"), line)


def _steps(connection: sqlite3.Connection, work: object) -> int:
    """How many instructions SQLite's machine runs for the work: the same on every computer."""
    count = [0]

    def step() -> int:
        count[0] += 1
        return 0

    connection.set_progress_handler(step, 1)
    assert callable(work)
    work()
    connection.set_progress_handler(None, 1)
    return count[0]


def test_a_message_comes_back_as_it_was_stored(transaction: Transaction, ann: int) -> None:
    query = _query(transaction, ann)
    new = NewMessage("func_says", "12\nü", "roll", "ann/dice", '{"a": {"uri": "data:,x"}}', "few-shot")
    stored = messages.append(transaction, Place(ann, query.session_id, query.id, "one"), new)
    assert messages.page(transaction, ann, query.session_id, 1, 10) == [stored]
    assert stored == Message(
        stored.id, query.session_id, query.id, 2, "func_says", "roll", "ann/dice", "12\nü", new.embeds,
        "few-shot", stored.created,
    )  # fmt: skip
    assert stored.created.endswith("+00:00")
    assert len(stored.created) == len("2026-01-31T12:00:00.000000+00:00")


def test_a_response_answers_the_message_that_asked(transaction: Transaction, ann: int) -> None:
    query = _query(transaction, ann)
    _fill(transaction, ann, query, 1)
    answer = queries.finish(
        transaction, Place(ann, query.session_id, query.id, "one"), "answered", NewMessage("response", "12")
    )
    asked, thought, _ = messages.page(transaction, ann, query.session_id, 0, 10)
    assert answer.in_reply_to == asked.id == query.id
    assert asked.in_reply_to is thought.in_reply_to is None


def test_positions_have_no_gaps_and_pages_no_overlap(transaction: Transaction, ann: int) -> None:
    query = _query(transaction, ann)
    _fill(transaction, ann, query, 24)
    seen: list[int] = []
    while page := messages.page(transaction, ann, query.session_id, seen[-1] if seen else 0, 7):
        seen += [message.position for message in page]
    assert seen == list(range(1, 26))


def test_a_window_holds_the_newest_in_order(transaction: Transaction, ann: int) -> None:
    query = _query(transaction, ann)
    _fill(transaction, ann, query, 24)
    newest = messages.window(transaction, ann, query.session_id, 5)
    assert [message.position for message in newest] == [21, 22, 23, 24, 25]
    before = messages.window(transaction, ann, query.session_id, 3, before=21)
    assert [message.position for message in before] == [18, 19, 20]
    assert len(messages.window(transaction, ann, query.session_id, 100)) == 25


def test_another_person_s_session_has_no_messages_and_takes_none(
    transaction: Transaction, ann: int, bob: int
) -> None:
    query = _query(transaction, ann)
    assert messages.page(transaction, bob, query.session_id, 0, 10) == []
    assert messages.window(transaction, bob, query.session_id, 10) == []
    for session_id in (query.session_id, 12345):
        with pytest.raises(errors.NotFound) as refused:
            messages.append(transaction, Place(bob, session_id, query.id, "one"), NewMessage("thought", "x"))
        assert refused.value.message == "This session does not exist, or was deleted."


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_a_long_session_costs_no_more_than_a_short_one(
    transaction: Transaction, connection: sqlite3.Connection, ann: int
) -> None:
    short, long = _query(transaction, ann, "short"), _query(transaction, ann, "long")
    connection.execute("BEGIN")
    _fill(transaction, ann, short, 60)
    _fill(transaction, ann, long, 10_000)
    connection.execute("COMMIT")

    def costs(query: Query) -> list[int]:
        line = NewMessage("thought", "x")
        return [
            _steps(
                connection,
                lambda: messages.append(transaction, Place(ann, query.session_id, query.id, "one"), line),
            ),
            _steps(connection, lambda: messages.window(transaction, ann, query.session_id, 50)),
            _steps(connection, lambda: messages.page(transaction, ann, query.session_id, 10, 50)),
        ]

    assert costs(long) == costs(short)


def _several(transaction: Transaction, owner_id: int) -> list[Query]:
    found = [_query(transaction, owner_id, f"s{number}") for number in range(5)]
    for number, query in enumerate(found):
        _fill(transaction, owner_id, query, number)
    return found


def test_the_newest_of_many_sessions_in_one_look(transaction: Transaction, ann: int) -> None:
    asked = _several(transaction, ann)

    found = messages.newest(transaction, ann, [query.session_id for query in asked], 2, 100)

    positions = [[m.position for m in found if m.session_id == query.session_id] for query in asked]
    assert positions == [[1], [1, 2], [2, 3], [3, 4], [4, 5]]
    assert len(messages.newest(transaction, ann, [query.session_id for query in asked], 2, 4)) == 4


def test_a_page_of_many_sessions_in_one_look(transaction: Transaction, ann: int) -> None:
    asked = _several(transaction, ann)

    found = messages.pages(transaction, ann, [query.session_id for query in asked], (1, 3), 100)

    positions = [[m.position for m in found if m.session_id == query.session_id] for query in asked]
    assert positions == [[], [2], [2, 3], [2, 3], [2, 3]]


def test_of_many_sessions_only_the_owners_are_looked_at(transaction: Transaction, ann: int, bob: int) -> None:
    query = _query(transaction, ann)

    assert messages.newest(transaction, bob, [query.session_id], 5, 100) == []
    assert messages.pages(transaction, bob, [query.session_id], (0, 5), 100) == []
    assert messages.of_ids(transaction, bob, [query.id]) == []
    assert messages.exchange(transaction, bob, query.session_id, query.id) == []
    assert [message.id for message in messages.of_ids(transaction, ann, [query.id, 7])] == [query.id]


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_the_newest_cost_the_same_in_sessions_short_and_long(
    transaction: Transaction, connection: sqlite3.Connection, ann: int
) -> None:
    short, long = _query(transaction, ann, "short"), _query(transaction, ann, "long")
    _fill(transaction, ann, short, 20)
    _fill(transaction, ann, long, 2_000)

    costs = [
        _steps(connection, lambda query=query: messages.newest(transaction, ann, [query.session_id], 10, 100))
        for query in (short, long)
    ]

    assert costs[1] < 1.2 * costs[0]


def test_an_exchange_is_what_was_asked_and_answered(transaction: Transaction, ann: int) -> None:
    first = _query(transaction, ann)
    _fill(transaction, ann, first, 3)
    assert [m.type for m in messages.exchange(transaction, ann, first.session_id, first.id)] == ["query"]
    place = Place(ann, first.session_id, first.id, "one")
    queries.finish(transaction, place, "answered", NewMessage("response", "12"))
    second = queries.begin(transaction, ann, first.session_id, NewQuery(NewMessage("query", "Again"), "one"))
    queries.finish(transaction, replace(place, query_id=second.id), "answered", NewMessage("response", "13"))

    for query, texts in ((first, ["Roll a d20", "12"]), (second, ["Again", "13"])):
        found = messages.exchange(transaction, ann, query.session_id, query.id)
        assert [message.text for message in found] == texts
