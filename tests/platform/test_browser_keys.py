"""How the web page gets a key: a one-time code in a link, exchanged for a key that ends."""

import asyncio
import pathlib
import time
import urllib.parse

import jwt
import pytest
import requests
from clocks import Clock

from fixieai import errors, testing
from fixieai.agents import registration
from fixieai.platform import browser_codes, local_user, signing_keys
from fixieai.platform.app import open_platform
from fixieai.platform.auth import API_KEY_AUDIENCE, BROWSER_KEY_SECONDS, Caller
from fixieai.platform.browser_codes import BrowserCodes
from fixieai.platform.settings import Settings
from fixieai.storage import api_keys
from fixieai.storage.browser_codes import Grant
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction

ANN = Caller(1, "ann", key_id="key-1")


def make_code(http) -> str:
    answer = http("POST", "/api/browser-codes")
    assert answer.status_code == 201
    return str(answer.json()["code"])


def exchange(http, code: object, **headers: str) -> requests.Response:
    return http("POST", "/api/browser-keys", json={"code": code}, headers={"Authorization": None, **headers})


def test_a_code_is_worth_a_key_of_its_owner(http) -> None:
    answer = exchange(http, make_code(http), Origin=http.url)

    assert answer.status_code == 201
    assert answer.json()["expiresIn"] == BROWSER_KEY_SECONDS
    key = answer.json()["key"]
    user = http("GET", "/api/user", headers={"Authorization": f"Bearer {key}"})
    assert user.json()["username"] == "local"
    claims = jwt.decode(key, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == BROWSER_KEY_SECONDS


def test_a_code_works_once(http) -> None:
    code = make_code(http)
    exchange(http, code)

    again = exchange(http, code)

    assert again.status_code == 403
    assert "used before" in again.json()["error"]["message"]


@pytest.mark.parametrize(
    ("code", "status"), [("", 403), ("x" * 43, 403), ("x" * 500, 422), (None, 422), (7, 422)]
)
def test_what_is_no_code_is_refused(http, code: object, status: int) -> None:
    assert exchange(http, code).status_code == status


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
def test_a_page_elsewhere_cannot_exchange_a_code(http, origin: str) -> None:
    code = make_code(http)

    assert exchange(http, code, Origin=origin).status_code == 403
    assert exchange(http, code).status_code == 201


def test_the_key_of_a_page_makes_no_codes(http) -> None:
    """A page's key that was stolen would else live for ever."""
    key = exchange(http, make_code(http)).json()["key"]

    assert http("POST", "/api/browser-codes", headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_what_an_agent_prints_opens_the_page(
    http, platform: testing.Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXIE_API_KEY", platform.api_key)

    url = urllib.parse.urlsplit(registration.Registrar(platform.url).chat_url("local/dice"))

    assert (url.path, url.query) == ("/agents/local/dice", "")  # a fragment is never sent
    assert exchange(http, url.fragment.removeprefix("code=")).status_code == 201


async def test_a_code_ends_after_15_minutes(database: Database) -> None:
    clock = Clock(1_000.0)
    codes = BrowserCodes(database, clock)
    young, old = await codes.create(ANN), await codes.create(ANN)

    clock.now += browser_codes.CODE_SECONDS
    assert (await codes.redeem(young)).username == "ann"
    clock.now += 1
    with pytest.raises(errors.Forbidden):
        await codes.redeem(old)


async def test_only_so_many_codes_of_a_key_are_kept_and_none_as_it_is(database: Database) -> None:
    clock = Clock(1_000.0)
    codes = BrowserCodes(database, clock)
    bobs = await codes.create(Caller(2, "bob", key_id="key-2"))
    made = []
    for _ in range(150):
        clock.now += 1
        made.append(await codes.create(ANN))

    kept = await database.read(_kept_codes)
    assert len(kept) == 101
    assert not set(made) & set(kept)
    with pytest.raises(errors.Forbidden):
        await codes.redeem(made[49])
    assert (await codes.redeem(made[50])).key_id == "key-1"
    assert (await codes.redeem(bobs)).key_id == "key-2"


async def test_of_two_who_bring_the_same_code_one_gets_a_key(database: Database) -> None:
    codes = BrowserCodes(database)
    code = await codes.create(ANN)

    found = await asyncio.gather(*(codes.redeem(code) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(each, Grant) for each in found) == 1


def _kept_codes(transaction: Transaction) -> list[str]:
    return [code_hash for (code_hash,) in transaction.rows("SELECT hash FROM browser_codes", {})]


async def test_the_key_of_a_page_ends_with_its_time_and_with_the_key_it_came_from(
    tmp_path: pathlib.Path,
) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        lasting = await local_user.ensure_key(platform.settings.home, platform.auth)
        caller = await platform.auth.authenticate(lasting)
        assert caller.key_id is not None
        key = platform.auth.browser_key(caller.username, caller.key_id)
        page = await platform.auth.authenticate(key)
        assert (page.user_id, page.key_id) == (caller.user_id, None)

        hour_ago = int(time.time()) - 3600
        claims = {"sub": "local", "aud": API_KEY_AUDIENCE, "jti": caller.key_id, "exp": hour_ago}
        with pytest.raises(errors.Forbidden):
            await platform.auth.authenticate(signing_keys.load_or_create(tmp_path / "home").sign(claims))

        other = await platform.auth.authenticate(await platform.auth.create_api_key("local", "another"))
        assert other.key_id is not None
        await platform.database.write(api_keys.revoke, other.user_id, other.key_id)
        with pytest.raises(errors.Forbidden):
            await platform.auth.authenticate(platform.auth.browser_key("local", other.key_id))
