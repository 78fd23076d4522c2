"""API keys of people: named, shown once, revoked; and what is no reason to get one."""

import asyncio
import pathlib
import time

import jwt
import pytest
import requests
from account_requests import bearer, post

from fixieai import errors, testing
from fixieai.platform.app import open_platform
from fixieai.platform.auth import FRESH_SECONDS, Caller
from fixieai.platform.settings import Settings
from fixieai.storage import api_keys, users


def test_the_keys_of_others_are_as_those_of_nobody(ann: testing.Platform, bob: testing.Platform) -> None:
    key_id = bob.call("GET", "/api/users/bob/keys")["keys"][0]["id"]

    def answers(username: str) -> list[tuple[int, str]]:
        path = f"{ann.url}/api/users/{username}/keys"
        made = [
            requests.get(path, headers=bearer(ann.api_key), timeout=60),
            requests.post(path, json={"name": "mine"}, headers=bearer(ann.api_key), timeout=60),
            requests.delete(f"{path}/{key_id}", headers=bearer(ann.api_key), timeout=60),
        ]
        return [(a.status_code, a.json()["error"]["message"].replace(username, "NAME")) for a in made]

    assert answers("bob") == answers("nobody")
    assert {status for status, _ in answers("bob")} == {404}
    assert (
        requests.delete(
            f"{ann.url}/api/users/ann/keys/{key_id}", headers=bearer(ann.api_key), timeout=60
        ).status_code
        == 404
    )
    assert bob.call("GET", "/api/user")["username"] == "bob"


def test_a_key_is_named_listed_shown_once_and_revoked_at_once(ann: testing.Platform) -> None:
    made = ann.call("POST", "/api/users/ann/keys", {"name": " my laptop "})

    listed = ann.call("GET", "/api/users/ann/keys")["keys"]
    assert listed[0] == {name: made[name] for name in ("id", "name", "created", "expires")}
    assert (listed[0]["name"], listed[0]["expires"]) == ("my laptop", None)
    assert made["key"] not in str(listed)
    with_it = testing.Platform(ann.url, made["key"], None, "ann")  # type: ignore[arg-type]
    assert with_it.call("GET", "/api/user")["username"] == "ann"
    ann.call("DELETE", f"/api/users/ann/keys/{made['id']}")
    with pytest.raises(requests.HTTPError, match="403"):
        with_it.call("GET", "/api/user")
    assert made["id"] not in str(ann.call("GET", "/api/users/ann/keys"))


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", None, 7])
def test_a_key_has_a_name(ann: testing.Platform, name: object) -> None:
    assert post(ann, "/api/users/ann/keys", {"name": name}, ann.api_key).status_code == 422


def test_a_token_names_no_administrator(own: testing.Platform, ann: testing.Platform) -> None:
    """What somebody may do is looked up, and never read from what they send."""
    claims = jwt.decode(ann.api_key, options={"verify_signature": False})
    assert set(claims) == {"sub", "aud", "jti", "iat"}


def test_a_page_gives_out_keys_that_last_only_while_it_is_fresh() -> None:
    now = int(time.time())
    fresh, old = Caller(1, "ann", signed_in=now), Caller(1, "ann", signed_in=now - FRESH_SECONDS - 1)
    fresh.must_be_fresh()
    Caller(1, "ann", key_id="lasting").must_be_fresh()
    for caller in (old, Caller(1, "ann")):
        with pytest.raises(errors.SignInAgain):
            caller.must_be_fresh()


async def test_an_old_page_is_told_to_sign_in_again_before_it_gets_a_key(tmp_path: pathlib.Path) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        await platform.auth.create_api_key("ann", "laptop")
        caller = Caller(0, "ann", signed_in=1)
        with pytest.raises(errors.SignInAgain):
            await platform.accounts.create_key(caller, "ann", "for ever")


async def test_keys_that_are_made_at_once_are_told_apart_and_no_more_than_there_may_be(
    tmp_path: pathlib.Path,
) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        await platform.auth.create_api_key("ann", "the first")
        ann = await platform.database.read(users.by_username, "ann")
        assert ann is not None
        caller = Caller(ann.id, "ann", key_id="the first")
        names = [f"key {number}" for number in range(110)]
        making = [platform.accounts.create_key(caller, "ann", name) for name in names]

        made = await asyncio.gather(*making, return_exceptions=True)

        keys = [each for each in made if isinstance(each, tuple)]
        assert {type(each) for each in made} == {tuple, errors.Conflict}
        assert len(keys) == 99
        for stored, key in keys:
            assert stored.id == jwt.decode(key, options={"verify_signature": False})["jti"]
        assert len({stored.name for stored, _ in keys} & set(names)) == 99


async def test_nobody_gives_a_key_to_somebody_who_was_removed(tmp_path: pathlib.Path) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        await platform.auth.create_api_key("ann", "laptop")
        ann = await platform.database.read(users.by_username, "ann")
        assert ann is not None
        local = await platform.auth.authenticate((tmp_path / "home" / "api_key").read_text("utf-8"))
        await platform.accounts.remove(local, "ann")

        for giving in (platform.auth.give_key(ann, "late"), platform.auth.sign_in(ann, "late")):
            with pytest.raises(errors.Conflict):
                await giving
        assert await platform.database.read(api_keys.of_user, ann.id) == []


async def test_the_key_of_this_machine_that_is_revoked_is_followed_by_another(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "home"
    async with open_platform(Settings(home=home)) as platform:
        before = (home / "api_key").read_text("utf-8")
        caller = await platform.auth.authenticate(before)
        assert caller.key_id is not None
        assert caller.is_administrator
        await platform.accounts.revoke_any_key(caller, caller.key_id)
        after = (home / "api_key").read_text("utf-8")
        with pytest.raises(errors.InvalidCredential):
            await platform.auth.authenticate(before)
        assert (await platform.auth.authenticate(after)).username == "local"


async def test_a_query_token_of_a_removed_person_is_worth_nothing(tmp_path: pathlib.Path) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        await platform.auth.create_api_key("ann", "laptop")
        token = platform.auth.query_token("ann", "local/dice", "session")
        caller = await platform.auth.authenticate_query(token)
        local = await platform.database.read(users.by_username, "local")
        assert local is not None
        await platform.accounts.remove(Caller(local.id, "local", is_administrator=True), "ann")
        with pytest.raises(errors.InvalidCredential):
            await platform.auth.authenticate_query(token)
        assert await platform.database.read(users.by_id, caller.user.user_id) is None
