"""What is remembered of who somebody is."""

import asyncio
import pathlib
import threading
from collections.abc import AsyncIterator

import pytest

from fixieai import errors
from fixieai.platform import signing_keys
from fixieai.platform.auth import Auth
from fixieai.storage import api_keys, users
from fixieai.storage.database import Database, connect, sqlite_url
from fixieai.storage.transaction import Transaction
from fixieai.storage.users import User

_SECONDS = 60.0


@pytest.fixture
async def database(tmp_path: pathlib.Path) -> AsyncIterator[Database]:
    opened = await connect(sqlite_url(tmp_path / "fixie.db"))
    yield opened
    await opened.close()


async def test_who_is_looked_up_while_they_sign_out_is_not_remembered(
    database: Database, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = Auth(database, signing_keys.load_or_create(tmp_path))
    token = await auth.sign_in(await database.write(users.ensure, "ann"), "Web page")
    found, may_tell = asyncio.Event(), threading.Event()
    loop, look_up = asyncio.get_running_loop(), api_keys.active_user

    def look_up_slowly(transaction: Transaction, key_id: str) -> User | None:
        user = look_up(transaction, key_id)
        loop.call_soon_threadsafe(found.set)
        may_tell.wait(_SECONDS)
        return user

    monkeypatch.setattr(api_keys, "active_user", look_up_slowly)
    looking = asyncio.create_task(auth.authenticate(token))
    await found.wait()
    monkeypatch.setattr(api_keys, "active_user", look_up)
    await auth.sign_out(token)
    may_tell.set()

    assert (await looking).username == "ann"
    with pytest.raises(errors.InvalidCredential):
        await auth.authenticate(token)
