"""Signing keys that platforms share: one is made at first, and a new one signs when all have seen it."""

import asyncio

import jwt
import pytest
from clocks import Clock

from fixieai import errors
from fixieai.platform import shared_keys
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.shared_keys import SharedKeys
from fixieai.platform.signing_keys import SigningKeys
from fixieai.storage import signing_keys as rows
from fixieai.storage.database import connect

_SECRET = SecretKey(bytes(32))


def signer(keys: SigningKeys) -> str:
    return str(jwt.get_unverified_header(keys.sign({"sub": "ann"}))["kid"])


async def test_of_platforms_that_start_at_once_one_makes_the_key(postgres_url: str) -> None:
    databases = [await connect(postgres_url) for _ in range(4)]
    found = await asyncio.gather(*(shared_keys.load_or_create(each, _SECRET) for each in databases))
    assert len({keys.jwks()["keys"][0]["kid"] for keys in found}) == 1
    assert all(len(keys.jwks()["keys"]) == 1 for keys in found)
    for each in databases:
        await each.close()


async def test_a_new_key_signs_after_every_platform_published_it_for_five_minutes(postgres_url: str) -> None:
    database, clock = await connect(postgres_url), Clock()
    await shared_keys.load_or_create(database, _SECRET)
    store = SharedKeys(database, _SECRET)
    one, two = [SigningKeys(await store.load(), store, clock) for _ in range(2)]
    first = signer(one)

    made = await one.rotate()
    clock.now += shared_keys.RELOAD_SECONDS  # the other may learn of it now
    await two.reload()

    assert one.jwks() == two.jwks()
    assert made.kid in {key["kid"] for key in two.jwks()["keys"]}
    clock.now += 300 - 1
    assert signer(one) == signer(two) == first
    clock.now += shared_keys.RELOAD_SECONDS + 2
    assert signer(one) == signer(two) == made.kid
    await database.close()


async def test_what_is_stored_is_worth_nothing_without_the_secret_key(postgres_url: str) -> None:
    database = await connect(postgres_url)
    await shared_keys.load_or_create(database, _SECRET)
    (stored,) = await database.read(rows.all_keys)
    assert stored.sealed.startswith("1.")
    with pytest.raises(errors.ConfigurationError, match="another secret key"):
        await shared_keys.load_or_create(database, SecretKey(bytes(range(32))))
    await database.close()
