"""The user's own keys and figures through the client, at a running platform."""

import pytest

from fixieai import errors
from fixieai.client import AsyncFixieClient, FixieClient


def test_a_key_is_made_listed_used_and_revoked(people):
    ann = people["ann"]
    made = ann.create_api_key("my laptop")
    assert next(ann.get_api_keys()) == {name: made[name] for name in ("id", "name", "created", "expires")}
    assert (made["name"], made["expires"]) == ("my laptop", None)
    with_it = FixieClient(made["key"], api_url=ann.url)
    assert with_it.get_current_username() == "ann"
    with_it.revoke_api_key(made["id"])
    with pytest.raises(errors.Unauthenticated):
        with_it.get_current_user()
    with pytest.raises(errors.NotFound, match="revoked before"):
        ann.revoke_api_key(made["id"])
    with pytest.raises(errors.UnprocessableContent, match="name"):
        ann.create_api_key(" ")


def test_nobody_revokes_the_keys_of_others(people):
    made = people["ann"].create_api_key("hers")
    with pytest.raises(errors.NotFound):
        people["bob"].revoke_api_key(made["id"])
    assert made["id"] in {key["id"] for key in people["ann"].get_api_keys()}
    assert made["id"] not in {key["id"] for key in people["bob"].get_api_keys()}


def test_usage_says_what_is_used_and_what_may_be(people):
    usage = people["bob"].get_usage()
    assert usage["queries"]["used"] == 0
    assert usage["agents"] == []
    assert usage["resets"].endswith("+00:00")


async def test_keys_on_an_event_loop(people):
    async with AsyncFixieClient(people["bob"]._key, api_url=people["bob"].url) as client:
        made = await client.create_api_key("loop")
        assert made["id"] in [key["id"] async for key in client.get_api_keys()]
        await client.revoke_api_key(made["id"])
        assert (await client.get_usage())["tokens"]["used"] == 0
