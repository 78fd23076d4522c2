"""A session is watched, cancelled and queued in through any replica, whichever one answers its query."""

import asyncio
import json
import statistics
import threading
import time

import psycopg
import pytest

from fixieai.platform import query_runner
from fixieai.platform.endpoints import events
from fixieai.storage import postgres_lane
from fixieai.storage.postgres_notices import PostgresNotices

ANSWER = "Once upon a time"
PIECES = ("Once", "Once upon", ANSWER)
TURN = [("message", 1, "Tell"), ("message", 2, ANSWER)]


def test_an_answer_is_seen_as_it_is_written_elsewhere(replicas, watching) -> None:
    session = replicas.session()
    with watching(replicas.two, session) as stream:
        replicas.ask_later(replicas.one, session)
        assert stream.next() == TURN[0]
        replicas.tell_until_seen(stream, "Well")
        for piece in PIECES:
            replicas.teller.say(piece)
            assert {event[2] for event in stream.until_partial(piece)} <= {"Well", piece}
        replicas.teller.say(None)

        assert stream.next() == TURN[1]


def test_what_is_written_elsewhere_arrives_within_milliseconds(replicas, watching) -> None:
    session = replicas.session()
    with watching(replicas.one, session) as near, watching(replicas.two, session) as far:
        replicas.ask_later(replicas.one, session)
        assert near.next() == far.next() == TURN[0]
        replicas.tell_until_seen(far, "Well")
        for number in range(40):
            replicas.teller.say(f"piece {number}")
            near.until_partial(f"piece {number}")
            far.until_partial(f"piece {number}")
        replicas.teller.say(None)
        far.until_message("piece 39")
    later = [1e3 * (far.time_of(f"piece {n}") - near.time_of(f"piece {n}")) for n in range(40)]

    print(f"later than at the replica that answers: median {statistics.median(later):.2f} ms")
    assert statistics.quantiles(later)[0] < 50  # a busy machine adds to many of them


def test_a_client_that_drops_at_every_event_and_goes_to_the_other_replica_has_each_message_once(
    replicas, watching
) -> None:
    session = replicas.session()
    asked = [f"Tell {number}" for number in range(6)]
    seen: list[tuple[str, int, str]] = []
    for number, question in enumerate(asked):
        replicas.ask_later((replicas.one, replicas.two)[number % 2], session, question)
        replicas.teller.say("Story", f"Story {number}", None)
        while len(seen) < 2 * number + 2:
            turn = (replicas.one, replicas.two)[len(seen) % 2]
            with watching(turn, session, len(seen)) as stream:
                kind, position, text = stream.next()
            seen += [(kind, position, text)] if position else []

    told = [text for number, question in enumerate(asked) for text in (question, f"Story {number}")]
    assert seen == [("message", position, text) for position, text in enumerate(told, 1)]
    for replica in (replicas.one, replicas.two):
        for after in range(len(told)):
            with watching(replica, session, after) as stream:
                assert stream.until_message("Story 5") == seen[after:]


@pytest.mark.parametrize("text", ["x" * 20_000, "\U0001f600" * 5_000])
def test_a_partial_answer_too_long_to_tell_is_seen_elsewhere_when_it_is_whole(
    replicas, watching, text: str
) -> None:
    session = replicas.session()
    with watching(replicas.two, session) as stream:
        replicas.ask_later(replicas.one, session)
        replicas.teller.say(text, None)
        assert [event[0] for event in stream.until_message(text)] == ["message", "message"]


def test_who_comes_in_the_middle_sees_the_rest_of_it(replicas, watching) -> None:
    session = replicas.session()
    replicas.teller.say("Once")
    with watching(replicas.one, session) as from_the_beginning:
        replicas.ask_later(replicas.one, session)
        from_the_beginning.until_partial("Once")
    with watching(replicas.two, session) as stream:
        assert stream.next() == TURN[0]
        replicas.tell_until_seen(stream, "Once upon")
        assert stream.next() == ("partial", None, "Once upon")
        replicas.teller.say(ANSWER, None)

        assert stream.until_message(ANSWER)[-1] == TURN[1]


def test_a_query_is_cancelled_through_any_replica_at_once(replicas, watching) -> None:
    session = replicas.session()
    with watching(replicas.two, session) as stream:
        replicas.ask_later(replicas.one, session)
        assert replicas.teller.asked.acquire(timeout=60)
        began = time.monotonic()
        replicas.two.call("POST", f"/api/sessions/{session}/cancel")
        stream.until_message("This query was cancelled.")

    replicas.teller.say(None)
    assert time.monotonic() - began < 20  # no beat is as fast
    queries = replicas.two.call("GET", f"/api/sessions/{session}/messages")["messages"]
    assert [message["type"] for message in queries] == ["query", "response"]


def test_a_query_waits_for_that_of_the_other_replica_and_begins_as_soon_as_it_ends(
    replicas, watching, monkeypatch
) -> None:
    monkeypatch.setattr(query_runner, "_BUSY_SECONDS", 1_000)
    session = replicas.session()
    with watching(replicas.one, session) as stream:
        replicas.ask_later(replicas.one, session, "first")
        assert replicas.teller.asked.acquire(timeout=60)
        replicas.ask_later(replicas.two, session, "second")
        time.sleep(0.5)
        assert stream.seen == [("message", 1, "first")]
        replicas.teller.say("answer one", None)
        stream.until_message("answer one")
        replicas.teller.say("answer two", None)
        stream.until_message("answer two")

    assert [text for _, _, text in stream.messages()] == ["first", "answer one", "second", "answer two"]


def test_what_is_attached_to_a_question_that_waits_is_stored_with_it(replicas, watching) -> None:
    session = replicas.session()
    replicas.ask_later(replicas.one, session, "first")
    assert replicas.teller.asked.acquire(timeout=60)
    embeds = {"note": {"content_type": "text/plain", "uri": "data:text/plain;base64,aGVsbG8="}}
    body = {"session": session, "message": {"text": "second", "embeds": embeds}}
    waiting = threading.Thread(target=replicas.two.call, args=("POST", "/api/agents/teller", body))
    waiting.start()
    time.sleep(0.3)
    replicas.teller.say(None, "answer", None)
    waiting.join()

    kept = replicas.one.call("GET", f"/api/sessions/{session}/embeds")["embeds"]
    assert [each["key"] for each in kept] == ["note"]


def test_the_stream_of_a_session_that_is_deleted_elsewhere_ends_at_once(replicas, watching) -> None:
    session = replicas.session()
    with watching(replicas.two, session) as stream:
        replicas.one.call("DELETE", f"/api/sessions/{session}")
        assert stream.has_ended.wait(10)  # no heartbeat is as fast


async def test_what_was_answered_meanwhile_is_not_written_on_by_one_that_stood_still(
    replicas, watching
) -> None:
    session = replicas.session()
    with watching(replicas.two, session) as stream:
        replicas.teller.say(ANSWER, None)
        replicas.ask_later(replicas.one, session)
        await asyncio.to_thread(stream.until_message, ANSWER)
        with psycopg.connect(replicas.database_url) as connection:
            ids = connection.execute("SELECT id FROM sessions WHERE handle = %s", (session,)).fetchone()
        answer = replicas.one.call("GET", f"/api/sessions/{session}/messages")["messages"][1]
        query_id = int(answer["inReplyTo"]["id"])
        late = PostgresNotices(replicas.database_url)
        async with late.exchanged(lambda _: None, lambda: None):
            for each, text in ((query_id, "Once"), (query_id + 1, "Then")):
                late.send(json.dumps(["partial", ids[0], each, text, "local/teller", None]))
                await asyncio.sleep(0.2)

        assert await asyncio.to_thread(stream.next) == ("partial", None, "Then")


_UNTOLD = """
INSERT INTO messages (id, session_id, query_id, position, type, name, sender, text, embeds, created)
SELECT
    messages.id + 1, session_id, query_id, position + 1, 'response', '', sender, 'Untold', '{}',
    messages.created
FROM messages JOIN sessions ON sessions.id = session_id WHERE handle = %s ORDER BY position DESC LIMIT 1
"""


def test_what_a_killed_platform_did_not_come_to_tell_is_seen_all_the_same(
    replicas, watching, monkeypatch
) -> None:
    monkeypatch.setattr(events, "_HEARTBEAT_SECONDS", 0.05)
    session = replicas.session()
    with watching(replicas.two, session) as stream:
        replicas.teller.say(ANSWER, None)
        replicas.ask_later(replicas.one, session)
        stream.until_message(ANSWER)
        with psycopg.connect(replicas.database_url) as connection:
            connection.execute(_UNTOLD, (session,))

        assert stream.next() == ("message", 3, "Untold")


@pytest.mark.parametrize("patience_of_reads", [30.0, 0.1])
def test_after_an_outage_of_the_database_streams_go_on(
    replicas, watching, postgres_server, monkeypatch, patience_of_reads: float
) -> None:
    session = replicas.session()
    monkeypatch.setattr(postgres_lane, "_OUTAGE_SECONDS", patience_of_reads)
    monkeypatch.setattr(events, "_HEARTBEAT_SECONDS", 0.05)
    with watching(replicas.two, session) as stream:
        time.sleep(0.1)
        postgres_server.stop()
        time.sleep(0.6)
        postgres_server.start()
        monkeypatch.setattr(postgres_lane, "_OUTAGE_SECONDS", 30.0)
        replicas.ask_later(replicas.one, session)
        replicas.teller.say(ANSWER, None)
        stream.until_message(ANSWER)

    assert stream.messages() == TURN
