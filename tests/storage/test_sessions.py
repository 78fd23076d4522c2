import sqlite3

import pytest

from fixieai import errors
from fixieai.storage import messages, queries, sessions
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.queries import NewQuery
from fixieai.storage.transaction import Transaction


def _converse(transaction: Transaction, owner_id: int, handle: str) -> int:
    session = sessions.create(transaction, owner_id, handle)
    query = queries.begin(transaction, owner_id, session.id, NewQuery(NewMessage("query", "?"), "one"))
    queries.finish(
        transaction,
        Place(owner_id, query.session_id, query.id, "one"),
        "answered",
        NewMessage("response", "!"),
    )
    return session.id


def test_a_session_is_found_by_its_owner_and_handle(transaction: Transaction, ann: int, bob: int) -> None:
    created = sessions.create(transaction, ann, "stormy-ferryboat", "ann/dice")
    assert sessions.get(transaction, ann, "stormy-ferryboat") == created
    assert created.name is None
    assert sessions.get(transaction, bob, "stormy-ferryboat") is None
    assert sessions.get(transaction, ann, "Stormy-ferryboat") is None


def test_a_handle_is_taken_for_its_owner_alone(transaction: Transaction, ann: int, bob: int) -> None:
    first = sessions.create(transaction, ann, "stormy-ferryboat")
    with pytest.raises(errors.Conflict):
        sessions.create(transaction, ann, "stormy-ferryboat")
    assert sessions.create(transaction, bob, "stormy-ferryboat").id != first.id


def test_a_new_session_gets_another_handle_where_its_own_is_taken(transaction: Transaction, ann: int) -> None:
    for taken in ("a", "b"):
        sessions.create(transaction, ann, taken)
    drafted = sessions.draft("a", "ann/dice")
    stored = sessions.insert_under_free_handle(transaction, ann, drafted, iter(("b", "c", "d")).__next__)
    assert (stored.id, stored.handle) == (drafted.id, "c")
    assert sessions.get(transaction, ann, "c") == stored


def test_where_every_handle_is_taken_no_session_is_stored(transaction: Transaction, ann: int) -> None:
    first = sessions.create(transaction, ann, "a")
    with pytest.raises(errors.Conflict):
        sessions.insert_under_free_handle(transaction, ann, sessions.draft("a"), lambda: "a")
    assert sessions.page(transaction, ann, None, 10) == [first]


def test_pages_go_from_the_newest_to_the_oldest(transaction: Transaction, ann: int, bob: int) -> None:
    created = [sessions.create(transaction, owner, f"s{n}") for n in range(5) for owner in (ann, bob)][::2]
    seen, after = [], None
    while page := sessions.page(transaction, ann, after, 2):
        assert len(page) <= 2
        seen += page
        after = str(page[-1].id)
    assert seen == created[::-1]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.0", "1e3", "٣", "9" * 40, "9" * 5000, " 1", "0x1"])
def test_a_cursor_that_is_none_is_refused(transaction: Transaction, ann: int, cursor: str) -> None:
    with pytest.raises(errors.UnprocessableContent, match="after"):
        sessions.page(transaction, ann, cursor, 2)


def test_a_session_keeps_its_first_name(transaction: Transaction, ann: int, bob: int) -> None:
    session = sessions.create(transaction, ann, "s")
    sessions.touch(transaction, ann, session.id, "Dice")
    sessions.touch(transaction, ann, session.id, "not used: it has a name")
    touched = sessions.get(transaction, ann, "s")
    assert touched is not None
    assert touched.name == "Dice"
    assert touched.modified > session.modified
    with pytest.raises(errors.NotFound):
        sessions.touch(transaction, bob, session.id)


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_deleting_takes_all_of_a_session_and_nothing_of_another(
    transaction: Transaction, connection: sqlite3.Connection, ann: int, bob: int
) -> None:
    kept, doomed, others = [
        _converse(transaction, owner, handle)
        for owner, handle in ((ann, "kept"), (ann, "doomed"), (bob, "b"))
    ]
    assert not sessions.delete(transaction, bob, doomed)
    assert len(messages.page(transaction, ann, doomed, 0, 10)) == 2
    assert sessions.delete(transaction, ann, doomed)
    assert not sessions.delete(transaction, ann, doomed)
    for table in ("queries", "messages"):
        left = connection.execute(f"SELECT DISTINCT session_id FROM {table}").fetchall()
        assert sorted(left) == sorted([(kept,), (others,)])


def test_a_deleted_session_s_ids_are_never_given_out_again(transaction: Transaction, ann: int) -> None:
    seen = set()
    for _ in range(20):
        session = sessions.create(transaction, ann, "s")
        query = queries.begin(transaction, ann, session.id, NewQuery(NewMessage("query", "?"), "one"))
        sessions.delete(transaction, ann, session.id)
        seen |= {session.id, query.id}
    assert len(seen) == 40
