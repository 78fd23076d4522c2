"""Organisations over HTTP: members change what the organisation owns; nobody else learns of it."""

import concurrent.futures
import pathlib
import time

import pytest
from slow_agents import slow_agent

from fixieai import errors
from fixieai.platform import organizations
from fixieai.platform.app import open_platform
from fixieai.platform.auth import Caller
from fixieai.platform.settings import Settings
from fixieai.storage import organizations as storage
from fixieai.storage import postgres_connection, revisions, users
from fixieai.storage.agents import AgentChanges, Handshake
from fixieai.storage.postgres_connection import PostgresTransaction


@pytest.fixture(scope="module")
def acme(world) -> str:
    made = world.ann.get("/api/organizations", "POST", {"handle": "acme", "name": "Acme Inc."})
    assert (made["handle"], made["name"], made["role"]) == ("acme", "Acme Inc.", "owner")
    return "acme"


def test_names_are_shared_with_users_and_must_be_names(world, acme) -> None:
    for handle in (acme, "local", "bob"):
        assert world.bob("POST", "/api/organizations", {"handle": handle}).status_code == 409
    for handle in ("", "a b", "a/b", "x" * 40, "ACME", "user", "platform", "none", 5):
        assert world.bob("POST", "/api/organizations", {"handle": handle}).status_code == 422
    assert world.bob("POST", "/api/organizations", {"handle": "fine", "name": "x" * 201}).status_code == 422


def test_an_organisation_of_others_does_not_exist(world, acme) -> None:
    assert world.bob.get("/api/organizations") == {"organizations": [], "next": None}
    world.ann.get("/api/agents/acme/hidden", "PUT", {})
    for method, path, body in (
        ("GET", f"/api/organizations/{acme}", None),
        ("DELETE", f"/api/organizations/{acme}", None),
        ("PUT", f"/api/organizations/{acme}/members/bob", {"role": "owner"}),
        ("DELETE", f"/api/organizations/{acme}/members/local", None),
        ("GET", "/api/agents/acme/hidden", None),
        ("PUT", "/api/agents/acme/new", {"name": "x"}),
        ("PUT", "/api/agents/acme/new", {"url": world.serve("one")}),
        ("PUT", "/api/agents/local/new", {"url": None}),
    ):
        assert world.bob(method, path, body).status_code == 404, (method, path)


def test_members_serve_and_change_its_agents_and_owners_say_who_is_one(world, acme) -> None:
    put = world.ann.get(f"/api/organizations/{acme}/members/bob", "PUT", {})
    assert put == {"username": "bob", "role": "member"}
    shown = world.bob.get(f"/api/organizations/{acme}")
    assert [(each["username"], each["role"]) for each in shown["members"]] == [
        ("local", "owner"), ("bob", "member"),
    ]  # fmt: skip
    first = world.bob.get(f"/api/organizations/{acme}?limit=1")
    following = world.bob.get(f"/api/organizations/{acme}?limit=1&after={first['next']}")
    assert [each["username"] for each in first["members"] + following["members"]] == ["local", "bob"]

    agent = world.bob.get("/api/agents/acme/ours", "PUT", {"url": world.serve("one")})
    assert agent["owner"] == {"handle": "acme", "name": "Acme Inc."}
    assert world.ann.ask("acme/ours") == world.bob.ask("acme/ours") == "one: Hi"
    assert "acme/ours" in [each["agentId"] for each in world.ann.get("/api/agents")["agents"]]
    assert world.ann.get("/api/agents/acme/ours", "PATCH", {"name": "Ours"})["name"] == "Ours"

    for method, path, body in (
        ("PUT", f"/api/organizations/{acme}/members/bob", {"role": "owner"}),
        ("DELETE", f"/api/organizations/{acme}/members/local", None),
        ("DELETE", f"/api/organizations/{acme}", None),
    ):
        assert world.bob(method, path, body).status_code == 403
    assert world.ann("PUT", f"/api/organizations/{acme}/members/nobody", {}).status_code == 404
    assert world.ann("PUT", f"/api/organizations/{acme}/members/bob", {"role": "king"}).status_code == 422
    assert world.ann("PUT", f"/api/organizations/{acme}/members/acme", {}).status_code == 404

    assert world.bob("DELETE", f"/api/organizations/{acme}/members/bob").status_code == 204
    assert world.bob("GET", "/api/agents/acme/ours").status_code == 404
    assert world.ann("DELETE", f"/api/organizations/{acme}/members/bob").status_code == 404


def test_one_owner_stays_and_agents_go_first(world) -> None:
    world.ann.get("/api/organizations", "POST", {"handle": "brief"})
    for method, body in (("DELETE", None), ("PUT", {"role": "member"})):
        assert world.ann(method, "/api/organizations/brief/members/local", body).status_code == 409
    world.ann.get("/api/agents/brief/agent", "PUT", {})
    assert world.ann("DELETE", "/api/organizations/brief").status_code == 409
    assert world.ann("DELETE", "/api/agents/brief/agent").status_code == 204
    assert world.ann("DELETE", "/api/organizations/brief").status_code == 204
    assert world.ann("GET", "/api/organizations/brief").status_code == 404
    assert world.ann("PUT", "/api/agents/brief/agent", {}).status_code == 404
    taken = world.bob("POST", "/api/organizations", {"handle": "brief"})
    assert taken.status_code == 409  # or its agents would read what people told the former ones


@pytest.mark.parametrize("way", ["made", "chosen"])
def test_what_who_is_no_member_any_more_was_about_to_make_current_does_not_become_so(world, way: str) -> None:
    handle = f"short-{way}"
    world.ann.get("/api/organizations", "POST", {"handle": handle})
    world.ann.get(f"/api/organizations/{handle}/members/bob", "PUT", {})
    path = f"/api/agents/{handle}/ours/revisions"
    with slow_agent() as agent, concurrent.futures.ThreadPoolExecutor(1) as pool:
        agent.goes_on.set()
        world.bob.get(f"/api/agents/{handle}/ours", "PUT", {})
        other = world.bob.get(path, "POST", {"url": agent.url, "makeCurrent": False})
        current = world.bob.get(path, "POST", {"url": world.serve("one")})
        agent.goes_on.clear()
        agent.asked.clear()
        if way == "made":
            doing = pool.submit(world.bob, "POST", path, {"url": agent.url})
        else:
            doing = pool.submit(world.bob, "PUT", f"{path}/{other['id']}/current")
        assert agent.asked.wait(60)
        assert world.ann("DELETE", f"/api/organizations/{handle}/members/bob").status_code == 204
        agent.goes_on.set()

        assert doing.result().status_code == 404
    assert world.ann.get(f"/api/agents/{handle}/ours")["currentRevisionId"] == current["id"]
    assert world.ann.ask(f"{handle}/ours") == "one: Hi"


async def test_code_of_who_is_no_member_any_more_fails_once_it_runs(tmp_path: pathlib.Path) -> None:
    async with open_platform(Settings(home=tmp_path)) as platform:
        for name in ("ann", "bob"):
            await platform.auth.create_api_key(name, "tests")
        ann, bob = [
            Caller((await platform.database.read(users.by_username, name)).id, name)
            for name in ("ann", "bob")
        ]
        await platform.organizations.create(ann, "acme", None)
        await platform.organizations.put_member(ann, "acme", "bob", "member")
        agent = await platform.registry.create(bob, "ours", AgentChanges(), owner="acme")
        code = revisions.Source(environment="PYTHON", package_hash="ab" * 32)
        pending = await platform.database.write(revisions.insert, agent, code, revisions.PENDING)
        await platform.organizations.remove_member(ann, "acme", "bob")

        with pytest.raises(errors.NotFound):
            await platform.revisions._ready(
                bob.user_id, agent, pending, Handshake("standalone", "", []), True
            )

        (seen,) = await platform.revisions.page(ann, "acme/ours", None, 10)
        assert (seen.status, seen.is_current) == ("failed", False)
        assert "may not change" in (seen.problem or "")


def test_who_is_being_removed_adds_nobody_meanwhile(postgres_url: str) -> None:
    with (
        postgres_connection.connect(postgres_url) as first,
        postgres_connection.connect(postgres_url) as second,
        concurrent.futures.ThreadPoolExecutor(1) as threads,
    ):
        one, two = PostgresTransaction(first), PostgresTransaction(second)
        ann, bob, _ = [users.ensure(one, name).id for name in ("ann", "bob", "carol")]
        storage.create(one, ann, "acme", None)
        organizations._put_member(one, ann, "acme", "bob", "owner")
        with first.transaction():
            organizations._remove_member(one, ann, "acme", "bob", is_leaving=False)
            adding = threads.submit(organizations._put_member, two, bob, "acme", "carol", "owner")
            time.sleep(0.2)
            assert not adding.done()
        with pytest.raises(errors.NotFound):
            adding.result(60)
        members = storage.members(one, storage.get(one, ann, "acme"), None, 10)
    assert [member.username for member in members] == ["ann"]
