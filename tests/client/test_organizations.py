"""Organisations through the client, at a running platform."""

import pytest

from fixieai import errors
from fixieai.client import AsyncFixieClient


def test_an_organisation_is_made_listed_and_deleted(people):
    ann, bob = people["ann"], people["bob"]
    made = ann.create_organization("acme", "Acme Inc.")
    assert (made["handle"], made["name"], made["role"]) == ("acme", "Acme Inc.", "owner")
    assert list(ann.get_organizations()) == [made]
    assert list(bob.get_organizations()) == []
    with pytest.raises(errors.Conflict, match="acme"):
        bob.create_organization("acme")
    with pytest.raises(errors.UnprocessableContent, match="lower-case"):
        ann.create_organization("Acmé")
    agent = ann.create_agent("acme/robot")
    with pytest.raises(errors.Conflict, match="agents"):
        ann.delete_organization("acme")
    agent.delete_agent()
    ann.delete_organization("acme")
    assert list(ann.get_organizations()) == []


def test_owners_say_who_is_a_member_and_members_may_leave(people):
    ann, bob = people["ann"], people["bob"]
    ann.create_organization("shared")
    ann.set_organization_member("shared", "bob")
    assert [(each["username"], each["role"]) for each in bob.get_organization_members("shared")] == [
        ("ann", "owner"),
        ("bob", "member"),
    ]
    assert bob.create_agent("shared/dice").owner == "shared"
    with pytest.raises(errors.Forbidden, match="owner"):
        bob.remove_organization_member("shared", "ann")
    ann.set_organization_member("shared", "bob", role="owner")
    with pytest.raises(errors.NotFound, match="'nobody'"):
        ann.set_organization_member("shared", "nobody")
    with pytest.raises(errors.NotFound, match="'local' is no member of 'shared'"):
        ann.remove_organization_member("shared", "local")
    ann.remove_organization_member("shared", "ann")
    with pytest.raises(errors.Conflict, match="owner"):
        bob.remove_organization_member("shared", "bob")


def test_what_one_is_no_member_of_is_named(people):
    bob = people["bob"]
    people["ann"].create_organization("closed")
    for handle in ("closed", "none", "Grün"):
        for attempt in (
            lambda name=handle: list(bob.get_organization_members(name)),
            lambda name=handle: bob.set_organization_member(name, "bob"),
            lambda name=handle: bob.remove_organization_member(name, "bob"),
            lambda name=handle: bob.delete_organization(name),
        ):
            with pytest.raises(errors.NotFound, match=f"member of no organisation '{handle}'"):
                attempt()
    with pytest.raises(ValueError, match="not a handle"):
        bob.delete_organization("..")


async def test_organisations_on_an_event_loop(people):
    people["local"].create_organization("looped")
    async with AsyncFixieClient(people["local"]._key, api_url=people["local"].url) as client:
        await client.set_organization_member("looped", "ann", role="member")
        assert [each["handle"] async for each in client.get_organizations()] == ["looped"]
        members = [each["username"] async for each in client.get_organization_members("looped")]
        assert members == ["local", "ann"]
        with pytest.raises(errors.NotFound, match="member of no"):
            _ = [each async for each in client.get_organization_members("none")]
        await client.remove_organization_member("looped", "ann")
        await client.delete_organization("looped")
