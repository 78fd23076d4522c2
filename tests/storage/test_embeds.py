"""Embeds of sessions: what a key means, whose they are, and which bytes nobody needs any more."""

import hashlib
import time

import pytest

from fixieai import errors
from fixieai.storage import embeds, ids, removals, sessions
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.sessions import Session
from fixieai.storage.transaction import Transaction

HASH = hashlib.sha256(b"x").hexdigest()


@pytest.fixture
def session(transaction: Transaction, ann: int) -> Session:
    return sessions.create(transaction, ann, "one")


def new(key: str, content_hash: str = HASH, sender: str = "user") -> NewEmbed:
    return NewEmbed(ids.new_id(), key, sender, "text/plain", content_hash, 1)


def attach(transaction: Transaction, owner: int, session: Session, embed: NewEmbed) -> NewEmbed:
    assert embed.content_hash is not None
    embeds.hold(transaction, embed.id, embed.content_hash)
    embeds.insert(transaction, owner, session.id, embed)
    return embed


def test_embeds_come_in_pages_in_order(transaction: Transaction, ann: int, session: Session) -> None:
    made = [attach(transaction, ann, session, new(f"k{number}")).id for number in range(5)]
    first = embeds.page(transaction, ann, session.id, None, 3)
    rest = embeds.page(transaction, ann, session.id, str(first[-1].id), 3)
    assert [embed.id for embed in (*first, *rest)] == made


def test_a_key_means_the_persons_newest_then_anybodys_newest(
    transaction: Transaction, ann: int, session: Session
) -> None:
    attach(transaction, ann, session, new("chart", sender="ann/agent"))
    newest = attach(transaction, ann, session, new("chart", sender="ann/agent"))
    assert embeds.all_named(transaction, ann, session.id, ["chart", "absent"])[0].id == newest.id
    own = attach(transaction, ann, session, new("chart"))
    attach(transaction, ann, session, new("chart", sender="ann/agent"))
    found = embeds.named(transaction, ann, session.id, "chart")
    assert found is not None
    assert found.id == own.id


def test_an_uploaded_key_does_not_change_what_it_means(
    transaction: Transaction, ann: int, session: Session
) -> None:
    first = embeds.upload(transaction, ann, session.id, new("report"))
    assert embeds.upload(transaction, ann, session.id, new("report")) == first
    with pytest.raises(errors.Conflict, match="#report"):
        embeds.upload(transaction, ann, session.id, new("report", "0" * 64))


def test_embeds_of_others_are_not_there(
    transaction: Transaction, ann: int, bob: int, session: Session
) -> None:
    embed = attach(transaction, ann, session, new("report"))
    assert embeds.get(transaction, bob, embed.id) is None
    assert embeds.page(transaction, bob, session.id, None, 10) == []
    assert embeds.named(transaction, bob, session.id, "report") is None
    assert embeds.of_sessions(transaction, bob, [session.id], 10, 10) == []
    with pytest.raises(errors.NotFound):
        embeds.insert(transaction, bob, session.id, new("mine"))
    embeds.abandon(transaction, bob, session.id)
    assert embeds.BYTES.perhaps_unused(transaction, 10) == []


def test_the_newest_of_many_sessions_in_one_look(
    transaction: Transaction, ann: int, session: Session
) -> None:
    other = sessions.create(transaction, ann, "two")
    made = [attach(transaction, ann, each, new("k")).id for each in (session, other, session, session)]
    found = embeds.of_sessions(transaction, ann, [session.id, other.id], 2, 10)
    assert [embed.id for embed in found] == [*made[2:], made[1]]


def test_bytes_are_needed_while_a_session_refers_to_them(
    transaction: Transaction, ann: int, session: Session
) -> None:
    other = sessions.create(transaction, ann, "two")
    for each in (session, other):
        attach(transaction, ann, each, new("k"))
    for each, is_unused in ((session, False), (other, True)):
        embeds.abandon(transaction, ann, each.id)
        assert sessions.delete(transaction, ann, each.id)
        assert embeds.BYTES.perhaps_unused(transaction, 10) == [HASH]
        assert embeds.BYTES.begin_removal(transaction, HASH) is is_unused
        embeds.BYTES.end_removal(transaction, HASH)
        assert embeds.BYTES.perhaps_unused(transaction, 10) == []


def test_bytes_are_needed_while_somebody_is_about_to_use_them(
    transaction: Transaction, ann: int, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(transaction, ann, session, new("k"))
    coming = new("k")
    embeds.hold(transaction, coming.id, HASH)
    embeds.abandon(transaction, ann, session.id)
    sessions.delete(transaction, ann, session.id)
    embeds.BYTES.end_removal(transaction, HASH)
    assert not embeds.BYTES.begin_removal(transaction, HASH)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + embeds._HOLD_SECONDS + 1)
    assert embeds.BYTES.perhaps_unused(transaction, 10) == [HASH]
    assert embeds.BYTES.begin_removal(transaction, HASH)
    embeds.BYTES.end_removal(transaction, HASH)
    embeds.hold(transaction, coming.id, HASH)
    assert not embeds.BYTES.begin_removal(transaction, HASH)
    embeds.let_go(transaction, [coming.id])
    assert embeds.BYTES.begin_removal(transaction, HASH)


def test_nobody_relies_on_bytes_that_are_being_removed(
    transaction: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert embeds.BYTES.begin_removal(transaction, HASH)
    assert not embeds.BYTES.begin_removal(transaction, HASH)
    with pytest.raises(removals.BeingRemoved):
        embeds.hold(transaction, 1, HASH)
    embeds.BYTES.end_removal(transaction, HASH)
    embeds.hold(transaction, 1, HASH)
    embeds.let_go(transaction, [1])

    assert embeds.BYTES.begin_removal(transaction, HASH)  # by a process that is killed then
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + removals.SECONDS + 1)
    assert embeds.BYTES.begin_removal(transaction, HASH)
