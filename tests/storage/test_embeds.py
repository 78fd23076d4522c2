import pytest

from fixieai import errors
from fixieai.storage import embeds, sessions
from fixieai.storage.embeds import Content
from fixieai.storage.sqlite_connection import SqliteTransaction


def test_an_embed_is_listed_without_and_read_with_its_content(
    transaction: SqliteTransaction, ann: int
) -> None:
    session = sessions.create(transaction, ann, "s")
    content = Content("image/png", "data:image/png;base64," + "A" * 100_000)
    first = embeds.put(transaction, ann, session.id, "1", content)
    second = embeds.put(transaction, ann, session.id, "ü", Content("text/plain", "http://x"))
    assert embeds.of_session(transaction, ann, session.id) == [first, second]
    assert embeds.content(transaction, ann, first.id) == content


def test_the_same_key_again_replaces_the_content(transaction: SqliteTransaction, ann: int) -> None:
    session = sessions.create(transaction, ann, "s")
    first = embeds.put(transaction, ann, session.id, "1", Content("text/plain", "data:,a"))
    again = embeds.put(transaction, ann, session.id, "1", Content("text/html", "data:,b"))
    assert (again.id, again.content_type, again.created) == (first.id, "text/html", first.created)
    assert embeds.of_session(transaction, ann, session.id) == [again]
    assert embeds.content(transaction, ann, first.id) == Content("text/html", "data:,b")


def test_another_person_s_embeds_do_not_exist(transaction: SqliteTransaction, ann: int, bob: int) -> None:
    session = sessions.create(transaction, ann, "s")
    embed = embeds.put(transaction, ann, session.id, "1", Content("text/plain", "data:,a"))
    assert embeds.of_session(transaction, bob, session.id) == []
    assert embeds.content(transaction, bob, embed.id) is None
    with pytest.raises(errors.NotFound):
        embeds.put(transaction, bob, session.id, "1", Content("text/plain", "data:,b"))
