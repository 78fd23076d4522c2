"""Organisations over HTTP: members change what the organisation owns; nobody else learns of it."""

import pytest


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
