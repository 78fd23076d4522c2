"""Keys change while everybody goes on working."""

import asyncio
import json
import pathlib
import time
from collections.abc import Sequence

import pytest
from clocks import Clock
from small_agents import make_greeter

from fixieai import errors, testing
from fixieai.agents import jwks
from fixieai.platform import signing_keys
from fixieai.platform.signing_keys import SigningKey, SigningKeys


def kids(keys: SigningKeys) -> list[str]:
    return [key["kid"] for key in keys.jwks()["keys"]]


def load(home: pathlib.Path, clock: Clock) -> SigningKeys:
    loaded = signing_keys.load_or_create(home)
    return SigningKeys(loaded._keys, signing_keys.KeyFile(home / signing_keys.FILE_NAME), clock)


def sign(keys: SigningKeys) -> str:
    return keys.sign({"sub": "ann", "aud": "x"})


def signer(keys: SigningKeys) -> str:
    return str(signing_keys.jwt.get_unverified_header(sign(keys))["kid"])


def is_good(keys: SigningKeys, token: str, *, is_short_lived: bool) -> bool:
    try:
        return keys.verify(token, "x", ["sub"], is_short_lived=is_short_lived)["sub"] == "ann"
    except errors.InvalidCredential:
        return False


async def test_a_new_key_is_published_at_once_and_signs_five_minutes_later(tmp_path: pathlib.Path) -> None:
    clock = Clock()
    keys = load(tmp_path, clock)
    (first,) = kids(keys)

    made = await keys.rotate()

    assert kids(keys) == [made.kid, first]
    assert signer(keys) == first
    clock.now += 299
    assert signer(keys) == first
    clock.now += 1
    assert signer(keys) == made.kid


class SlowKeyFile(signing_keys.KeyFile):
    """Has read the file a while before anybody learns what is in it."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(path)
        self.may_tell = asyncio.Event()

    async def load(self) -> Sequence[SigningKey]:
        found = await super().load()
        await self.may_tell.wait()
        return found


async def test_a_key_that_is_made_while_others_are_looked_for_stays_published(tmp_path: pathlib.Path) -> None:
    clock = Clock()
    (first,) = load(tmp_path, clock)._keys
    store = SlowKeyFile(tmp_path / signing_keys.FILE_NAME)
    keys = SigningKeys([first], store, clock)
    looking = asyncio.create_task(keys.reload())
    await asyncio.sleep(0)

    made = await keys.rotate()
    store.may_tell.set()
    await looking

    assert kids(keys) == [made.kid, first.kid]
    await keys.reload()
    assert kids(keys) == [made.kid, first.kid]


async def test_what_an_old_key_signed_stays_good_and_no_longer_for_query_tokens(
    tmp_path: pathlib.Path,
) -> None:
    clock = Clock()
    keys = load(tmp_path, clock)
    old = sign(keys)
    (first,) = kids(keys)
    made = await keys.rotate()
    clock.now += 300 + 3599
    assert is_good(keys, old, is_short_lived=True)
    assert first in kids(keys)
    clock.now += 2

    assert kids(keys) == [made.kid]
    assert is_good(keys, old, is_short_lived=False)
    assert not is_good(keys, old, is_short_lived=True)
    assert is_good(keys, sign(keys), is_short_lived=True)


async def test_keys_are_the_same_after_a_restart(tmp_path: pathlib.Path) -> None:
    clock = Clock()
    keys = load(tmp_path, clock)
    made = [await keys.rotate() for _ in range(2)]

    again = load(tmp_path, clock)

    assert kids(again) == kids(keys)
    assert signer(again) == signer(keys) != made[0].kid
    clock.now += 301
    assert signer(again) == signer(keys)


def test_a_file_of_an_older_version_is_read(tmp_path: pathlib.Path) -> None:
    clock = Clock()
    keys = load(tmp_path, clock)
    token = sign(keys)
    path = tmp_path / signing_keys.FILE_NAME
    stored = json.loads(path.read_text("utf-8"))
    for key in stored["keys"]:
        del key["signsFrom"]
    path.write_text(json.dumps(stored), "utf-8")

    assert is_good(load(tmp_path, clock), token, is_short_lived=True)


def test_no_question_fails_while_keys_change(monkeypatch: pytest.MonkeyPatch) -> None:
    # All that takes minutes takes seconds here, and so in the agent.
    monkeypatch.setattr(signing_keys, "PUBLISHED_SECONDS", 1)
    monkeypatch.setattr(jwks, "FRESH_SECONDS", 1.0)
    monkeypatch.setattr(jwks, "COOL_DOWN_SECONDS", 0.1)
    with testing.platform() as platform:
        platform.serve(make_greeter(), "greeter")
        asked, published = 0, set[str]()
        ends = time.monotonic() + 3
        while asked <= 10 or time.monotonic() < ends:
            if asked == 5:
                platform.call("POST", "/api/signing-keys")
            assert platform.ask("greeter", "Hi").text == "Hello!"
            asked += 1
            published |= {key["kid"] for key in platform.call("GET", "/.well-known/jwks.json")["keys"]}
        assert platform.call("GET", "/api/user")["username"] == "local"
    assert len(published) == 2


@pytest.mark.parametrize("content", ["[]", '{"keys": [7]}', '{"keys": [{"kid": "a", "d": "AAAA"}]}'])
def test_a_file_that_holds_no_keys_is_named(tmp_path: pathlib.Path, content: str) -> None:
    path = tmp_path / signing_keys.FILE_NAME
    path.write_text(content, "utf-8")
    path.chmod(0o600)

    with pytest.raises(errors.ConfigurationError, match=r"signing_keys\.json does not hold"):
        signing_keys.load_or_create(tmp_path)
