"""Revisions over HTTP: external ones, served ones, what becomes current when, and leases that end."""

import pytest

AGENT = "/api/agents/local/{}"


def test_a_new_revision_becomes_current_and_an_older_one_again(world) -> None:
    revisions = "/api/agents/local/changing/revisions"
    world.ann.get("/api/agents/local/changing", "PUT", {})
    body = {"url": world.serve("one"), "metadata": {"commit": "5866d12", "": ""}}
    one = world.ann.get(revisions, "POST", body)
    assert (one["isCurrent"], one["status"], one["isServed"], one["type"]) == (
        True, "ready", False, "standalone",
    )  # fmt: skip
    assert one["metadata"] == {"commit": "5866d12", "": ""}
    agent = world.ann.get("/api/agents/local/changing")
    assert (agent["currentRevisionId"], agent["queries"]) == (one["id"], ["Say one"])
    two = world.ann.get(revisions, "POST", {"url": world.serve("two"), "makeCurrent": False})
    assert not two["isCurrent"]
    assert world.ann.ask("changing") == "one: Hi"

    agent = world.ann.get(f"{revisions}/{two['id']}/current", "PUT")

    assert (agent["currentRevisionId"], agent["queries"], agent["url"]) == (
        two["id"], ["Say two"], world.serve("two"),
    )  # fmt: skip
    assert world.ann.ask("changing") == "two: Hi"
    assert world.ann.get(f"{revisions}/{one['id']}/current", "PUT")["status"] == "online"
    assert world.ann.ask("changing") == "one: Hi"
    listed = world.ann.get(revisions)
    assert [(each["id"], each["isCurrent"]) for each in listed["revisions"]] == [
        (two["id"], False), (one["id"], True),
    ]  # fmt: skip
    page = world.ann.get(f"{revisions}?limit=1")
    assert world.ann.get(f"{revisions}?limit=1&after={page['next']}")["revisions"][0]["id"] == one["id"]


def test_a_revision_that_does_not_answer_changes_nothing(world, dead_url) -> None:
    before = world.ann.get("/api/agents/local/steady", "PUT", {"url": world.serve("one")})

    refused = world.ann("POST", "/api/agents/local/steady/revisions", {"url": dead_url})

    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "agent_unavailable")
    assert world.ann.get("/api/agents/local/steady") == before
    assert len(world.ann.get("/api/agents/local/steady/revisions")["revisions"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {}, {"url": None}, {"url": "ftp://x"}, {"url": "http://u:p@127.0.0.1"}, {"url": ""},
        {"url": "http://127.0.0.1:1", "metadata": {"k" * 201: "v"}},
        {"url": "http://127.0.0.1:1", "metadata": {str(number): "" for number in range(101)}},
        {"url": "http://127.0.0.1:1", "metadata": {"k": 5}},
        {"url": "http://127.0.0.1:1", "makeCurrent": "no"},
    ],
)  # fmt: skip
def test_a_revision_that_cannot_be_is_refused(world, body) -> None:
    world.ann.get("/api/agents/local/strict", "PUT", {})
    assert world.ann("POST", "/api/agents/local/strict/revisions", body).status_code == 422


@pytest.mark.parametrize("number", ["1", "0", "x", "-1", "9" * 19, "9" * 40, "%2e%2e", "\u0661"])
def test_a_revision_that_is_not_there_is_404(world, number: str) -> None:
    world.ann.get("/api/agents/local/strict", "PUT", {})
    world.ann.get("/api/agents/local/other", "PUT", {"url": world.serve("one")})
    theirs = world.ann.get("/api/agents/local/other")["currentRevisionId"]
    for revision in (number, theirs):
        path = f"/api/agents/local/strict/revisions/{revision}"
        assert world.ann("PUT", f"{path}/current").status_code == 404
        assert world.ann("DELETE", path).status_code == 404
        assert world.ann("GET", f"{path}/logs").status_code == 404
    assert world.ann.ask("other") == "one: Hi"


def test_without_its_current_revision_an_agent_is_offline(world) -> None:
    world.ann.get("/api/agents/local/lone", "PUT", {})
    revisions = "/api/agents/local/lone/revisions"
    one = world.ann.get(revisions, "POST", {"url": world.serve("one")})
    assert world.ann.get(f"{revisions}/{one['id']}/logs") == {"lines": []}

    assert world.ann("DELETE", f"{revisions}/{one['id']}").status_code == 204

    agent = world.ann.get("/api/agents/local/lone")
    assert (agent["status"], agent["url"], agent["currentRevisionId"]) == ("offline", None, None)
    assert agent["queries"] == ["Say one"]
    assert "not running" in world.ann.ask("lone")
    assert world.ann("POST", "/api/refresh/local/lone").status_code == 502


def test_a_rollback_to_an_address_that_is_gone_is_shown_as_unreachable(world) -> None:
    path = "/api/agents/local/unlucky"
    world.ann.get(path, "PUT", {"url": world.serve("one")})
    served = world.ann.get(path)["currentRevisionId"]
    world.ann.get(f"{path}/revisions", "POST", {"url": world.serve("two")})
    assert world.ann.get(f"{path}/revisions/{served}/current", "PUT")["status"] == "online"


def test_what_a_program_serves_is_current_until_it_says_otherwise(world) -> None:
    path = "/api/agents/local/tried"
    world.ann.get(path, "PUT", {})
    stable = world.ann.get(f"{path}/revisions", "POST", {"url": world.serve("stable")})
    for word in ("draft", "better"):
        world.ann.get(path, "PUT", {"url": world.serve(word)})
        assert world.ann.ask("tried") == f"{word}: Hi"
    assert len(world.ann.get(f"{path}/revisions")["revisions"]) == 2

    agent = world.ann.get(path, "PUT", {"url": None})

    assert (agent["currentRevisionId"], agent["status"]) == (stable["id"], "online")
    assert world.ann.ask("tried") == "stable: Hi"
    assert world.ann.get(path, "PUT", {"url": None}) | {"modified": ""} == agent | {"modified": ""}
    assert [each["id"] for each in world.ann.get(f"{path}/revisions")["revisions"]] == [stable["id"]]


def test_a_revision_deployed_while_one_is_served_stays_current(world) -> None:
    path = "/api/agents/local/both"
    world.ann.get(path, "PUT", {"url": world.serve("draft")})
    new = world.ann.get(f"{path}/revisions", "POST", {"url": world.serve("new")})
    assert world.ann.get(path, "PUT", {"url": None})["currentRevisionId"] == new["id"]
    assert world.ann.ask("both") == "new: Hi"


def test_an_ended_lease_brings_the_former_revision_back(world, eventually) -> None:
    path = "/api/agents/local/leased"
    world.ann.get(path, "PUT", {})
    stable = world.ann.get(f"{path}/revisions", "POST", {"url": world.serve("stable")})
    lease = {"url": world.serve("draft"), "leaseSeconds": 5}
    assert world.ann.get(path, "PUT", lease)["url"] == world.serve("draft")
    assert world.ann.get(f"{path}/lease", "POST", lease | {"leaseSeconds": 60})["agentId"] == "local/leased"
    assert not eventually(lambda: world.ann.get(path)["currentRevisionId"] == stable["id"], 8)
    world.ann.get(f"{path}/lease", "POST", lease | {"leaseSeconds": 1})

    assert eventually(lambda: world.ann.get(path)["currentRevisionId"] == stable["id"])
    assert world.ann.ask("leased") == "stable: Hi"
    assert world.ann("POST", f"{path}/lease", lease).status_code == 404


def test_an_agent_that_nobody_serves_any_more_is_offline(world, eventually) -> None:
    path = "/api/agents/local/killed"
    world.ann.get(path, "PUT", {"url": world.serve("one"), "leaseSeconds": 1})
    assert eventually(lambda: world.ann.get(path)["status"] == "offline")


def test_only_the_program_that_is_served_renews(world) -> None:
    path = "/api/agents/local/contested"
    one, two = ({"url": world.serve(word), "leaseSeconds": 60} for word in ("one", "two"))
    assert world.ann("POST", f"{path}/lease", one).status_code == 404
    world.ann.get(path, "PUT", one)
    world.ann.get(path, "PUT", two)
    assert world.ann("POST", f"{path}/lease", one).status_code == 409
    assert world.ann("POST", f"{path}/lease", two).ok
    for seconds in (0, -1, 3601, 1.5, "5", None):
        assert world.ann("POST", f"{path}/lease", two | {"leaseSeconds": seconds}).status_code == 422
