"""Two platforms store, delete and remove the same bytes at the same time: what is referred to is there."""

import asyncio
import pathlib

import pytest

from fixieai.platform.auth import Caller
from fixieai.platform.embeds import Embeds
from fixieai.platform.secret_key import SecretKey
from fixieai.storage import ids, sessions, users
from fixieai.storage.blobs import open_blobs
from fixieai.storage.database import connect
from fixieai.storage.embeds import NewEmbed

_CONTENT = b"the same bytes"


@pytest.mark.parametrize("attempt", range(3))
async def test_bytes_that_an_embed_has_are_never_removed(
    postgres_url: str, tmp_path: pathlib.Path, attempt: int
) -> None:
    blobs = open_blobs(tmp_path / "blobs", {})
    databases = [await connect(postgres_url) for _ in range(2)]
    owner = await databases[0].write(users.ensure, "ann")
    ann = Caller(owner.id, "ann")

    async def come_and_go(number: int) -> None:
        database = databases[number % 2]
        embeds = Embeds(database, blobs, SecretKey(bytes(32)), "http://127.0.0.1")
        for turn in range(15):
            handle = f"session-{number}-{turn}"
            session = await database.write(sessions.create, ann.user_id, handle)
            new = NewEmbed(ids.new_id(), "report", "user", "text/plain")
            stored = await embeds.upload(ann, handle, new, _CONTENT)
            assert stored.content_hash is not None
            assert await blobs.get(stored.content_hash) == _CONTENT
            await embeds.delete_session(ann.user_id, session.id)

    await asyncio.gather(*(come_and_go(number) for number in range(6)))
    assert not [each for each in (tmp_path / "blobs").rglob("*") if each.is_file()]
    for database in databases:
        await database.close()
