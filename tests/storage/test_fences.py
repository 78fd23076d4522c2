"""Who lost a query to another process adds nothing to it any more, at whatever moment it was lost."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from fixieai import errors
from fixieai.storage import executors, messages, postgres_connection, queries, sessions, users, views
from fixieai.storage.database import connect
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.postgres_connection import PostgresTransaction
from fixieai.storage.queries import NewQuery
from fixieai.storage.transaction import Row, Transaction

_LATE = NewMessage("func_says", "late", name="f")
_Two = tuple[psycopg.Connection[Row], psycopg.Connection[Row]]


@pytest.fixture
def processes(postgres_url: str) -> Iterator[_Two]:
    """Their connections."""
    with (
        postgres_connection.connect(postgres_url) as old,
        postgres_connection.connect(postgres_url) as new,
    ):
        yield old, new


@pytest.fixture
def place(processes: _Two) -> Place:
    """A query of "old", which was taken for dead."""
    transaction = PostgresTransaction(processes[0])
    owner_id = users.ensure(transaction, "ann").id
    session = sessions.create(transaction, owner_id, "s")
    question = NewMessage("query", "Go", sender="user")
    query = queries.begin(transaction, owner_id, session.id, NewQuery(question, "old", None))
    executors.add(transaction, "new")
    return Place(owner_id, session.id, query.id, "old")


def test_a_query_is_taken_behind_a_line_that_is_being_stored(processes: _Two, place: Place) -> None:
    old, new = processes
    with ThreadPoolExecutor() as threads:
        with old.transaction():
            messages.append(PostgresTransaction(old), place, _LATE)
            taking = threads.submit(queries.take, PostgresTransaction(new), "new", [place.query_id])
            time.sleep(0.2)
            assert not taking.done()
        assert [taken.id for taken in taking.result(60)] == [place.query_id]

    with pytest.raises(errors.NotFound):
        messages.append(PostgresTransaction(old), place, _LATE)
    stored = messages.of_query(PostgresTransaction(new), place.owner_id, place.session_id, place.query_id)
    assert [message.text for message in stored] == ["Go", "late"]


def test_who_waits_for_a_query_to_be_taken_adds_nothing(processes: _Two, place: Place) -> None:
    old, new = processes
    with ThreadPoolExecutor() as threads:
        with new.transaction():
            queries.take(PostgresTransaction(new), "new", [place.query_id])
            adding = threads.submit(messages.append, PostgresTransaction(old), place, _LATE)
            time.sleep(0.2)
            assert not adding.done()
        with pytest.raises(errors.NotFound):
            adding.result(60)


def test_who_stands_still_in_the_middle_of_a_transaction_loses_it(processes: _Two, place: Place) -> None:
    old, new = processes
    old.execute("SET idle_in_transaction_session_timeout = '2s'")
    old.execute("BEGIN")
    messages.append(PostgresTransaction(old), place, _LATE)
    (taken,) = queries.take(PostgresTransaction(new), "new", [place.query_id])
    assert taken.id == place.query_id
    with pytest.raises(psycopg.Error):
        old.execute("COMMIT")

    stored = messages.of_query(PostgresTransaction(new), place.owner_id, place.session_id, place.query_id)
    assert [message.text for message in stored] == ["Go"]
    with new.cursor() as cursor:
        assert cursor.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("5s",)


@pytest.mark.parametrize("goes_on", [True, False], ids=["before a statement", "before the commit"])
async def test_what_a_process_that_stood_still_had_not_stored_it_does_again(
    postgres_url: str, *, goes_on: bool
) -> None:
    tries = 0

    def stand_still(transaction: Transaction) -> None:
        """Until the server has ended the connection."""
        transaction.execute("SET idle_in_transaction_session_timeout = '1ms'", {})
        ((pid,),) = transaction.rows("SELECT pg_backend_pid()", {})
        with psycopg.connect(postgres_url, autocommit=True) as other:
            while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone():
                time.sleep(0.01)

    def work(transaction: Transaction) -> int:
        nonlocal tries
        tries += 1
        executors.add(transaction, "one")
        if tries == 1:
            stand_still(transaction)
        return len(executors.beats(transaction)) if goes_on else 1

    database = await connect(postgres_url)
    assert await database.write(work) == 1
    assert (tries, await database.read(executors.beats)) == (2, {"one": 0})
    await database.close()


def test_a_view_is_not_ended_while_nobody_asks_it(postgres_url: str) -> None:
    """Bytes are copied meanwhile, or all of the database is."""
    with views.opened(postgres_url) as view:
        assert view.transaction.row("SHOW idle_in_transaction_session_timeout", {}) == ("0",)
