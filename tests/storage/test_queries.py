from dataclasses import replace

import pytest

from fixieai import errors
from fixieai.storage import executors, messages, queries, sessions, usage
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.queries import NewQuery
from fixieai.storage.transaction import Transaction

_QUESTION = NewMessage("query", "Roll a d20", sender="user")
_ANSWER = NewMessage("response", "12", sender="ann/dice", model="few-shot")


def test_a_query_begins_with_its_question_and_names_the_session(transaction: Transaction, ann: int) -> None:
    session = sessions.create(transaction, ann, "s")
    query = queries.begin(transaction, ann, session.id, NewQuery(_QUESTION, "one", None, "Roll a d20"))
    (question,) = messages.page(transaction, ann, session.id, 0, 10)
    assert (question.id, question.query_id, question.text) == (query.id, query.id, "Roll a d20")
    named = sessions.get(transaction, ann, "s")
    assert named is not None
    assert named.name == "Roll a d20"
    assert queries.get(transaction, ann, query.id) == query
    assert (query.status, query.finished) == ("running", None)


@pytest.mark.parametrize(("status", "code"), [("answered", None), ("failed", "agent_unavailable")])
def test_a_query_ends_once(
    transaction: Transaction, ann: int, status: queries.Ending, code: str | None
) -> None:
    session = sessions.create(transaction, ann, "s")
    query = queries.begin(transaction, ann, session.id, NewQuery(_QUESTION, "one", None))
    answer = queries.finish(transaction, Place(ann, query.session_id, query.id, "one"), status, _ANSWER, code)
    ended = queries.get(transaction, ann, query.id)
    assert ended is not None
    assert (ended.status, ended.error_code, ended.finished) == (status, code, ended.finished)
    assert ended.finished is not None
    with pytest.raises(errors.Conflict, match="ended"):
        queries.finish(transaction, Place(ann, query.session_id, query.id, "one"), "answered", _ANSWER)
    assert messages.page(transaction, ann, session.id, 1, 10) == [answer]


def test_what_a_query_used_last_is_counted_with_its_end(transaction: Transaction, ann: int) -> None:
    session = sessions.create(transaction, ann, "s")
    query = queries.begin(transaction, ann, session.id, NewQuery(_QUESTION, "one", None))
    assert usage.spend(transaction, query.id, 300) == 300
    place = Place(ann, query.session_id, query.id, "one")
    queries.finish(transaction, place, "answered", _ANSWER, tokens=45)
    assert usage.of_query(transaction, ann, query.id) == 345


def test_a_query_may_begin_with_its_session_and_needs_to_say_nothing_of_it(
    transaction: Transaction, ann: int
) -> None:
    drafted = replace(sessions.draft("s"), name="Roll a d20")
    sessions.insert(transaction, ann, drafted)
    new = NewQuery(_QUESTION, "one", None, "Another name", is_in_new_session=True)
    queries.begin(transaction, ann, drafted.id, new)
    assert sessions.get(transaction, ann, "s") == drafted


@pytest.mark.parametrize("status", ["answered", "failed", "cancelled"])
def test_nothing_is_added_to_a_query_that_has_ended(
    transaction: Transaction, ann: int, status: queries.Ending
) -> None:
    """A write goes on when its caller is cancelled: where several run at once, it may come late."""
    session = sessions.create(transaction, ann, "s")
    query = queries.begin(transaction, ann, session.id, NewQuery(_QUESTION, "one", None))
    place = Place(ann, query.session_id, query.id, "one")
    queries.finish(transaction, place, status, _ANSWER)

    with pytest.raises(errors.NotFound):
        messages.append(transaction, place, NewMessage("ask_func", "20 1", name="roll"))

    assert [message.type for message in messages.page(transaction, ann, session.id, 0, 10)] == [
        "query",
        "response",
    ]


def test_another_person_s_query_does_not_exist(transaction: Transaction, ann: int, bob: int) -> None:
    session = sessions.create(transaction, ann, "s")
    query = queries.begin(transaction, ann, session.id, NewQuery(_QUESTION, "one", None))
    assert queries.get(transaction, bob, query.id) is None
    with pytest.raises(errors.NotFound):
        queries.finish(transaction, Place(bob, query.session_id, query.id, "one"), "answered", _ANSWER)
    with pytest.raises(errors.NotFound):
        queries.begin(transaction, bob, session.id, NewQuery(_QUESTION, "one", None))
    assert len(messages.page(transaction, ann, session.id, 0, 10)) == 1


def test_a_query_whose_session_was_deleted_is_told_so(transaction: Transaction, ann: int) -> None:
    session = sessions.create(transaction, ann, "s")
    query = queries.begin(transaction, ann, session.id, NewQuery(_QUESTION, "one", None))
    sessions.delete(transaction, ann, session.id)
    with pytest.raises(errors.NotFound, match="deleted"):
        queries.finish(transaction, Place(ann, query.session_id, query.id, "one"), "answered", _ANSWER)
    with pytest.raises(errors.NotFound, match="deleted"):
        messages.append(transaction, Place(ann, session.id, query.id, "one"), _ANSWER)


def test_who_was_taken_for_dead_does_not_take_what_it_may_still_run(
    transaction: Transaction, ann: int
) -> None:
    executors.add(transaction, "one")
    session = sessions.create(transaction, ann, "s")
    query = queries.begin(transaction, ann, session.id, NewQuery(_QUESTION, "one", None))
    executors.remove(transaction, "one", 0)
    assert queries.left_behind(transaction) == [query.id]
    assert queries.take(transaction, "one", [query.id]) == []

    executors.add(transaction, "anew")
    assert [(each.id, each.attempts) for each in queries.take(transaction, "anew", [query.id])] == [
        (query.id, 1)
    ]
