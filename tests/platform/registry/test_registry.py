"""Agents over HTTP: made, changed, renamed, published; whose they are, and who sees what."""

import http.server
import threading

import pytest


def test_what_a_change_names_is_changed_and_nothing_else(world) -> None:
    made = world.ann.get("/api/agents/local/plain", "PUT", {"name": "Plain", "description": "Says."})
    assert (made["status"], made["refreshStatus"], made["currentRevisionId"]) == ("offline", "PENDING", None)

    changed = world.ann.get("/api/agents/local/plain", "PATCH", {"published": True, "name": ""})

    assert (changed["name"], changed["description"], changed["published"]) == ("", "Says.", True)
    assert changed["modified"] > made["modified"]
    assert world.ann("PATCH", "/api/agents/local/none-such", {"name": "x"}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"newHandle": ""}, {"newHandle": "a/b"}, {"newHandle": "x" * 65}, {"newHandle": "ä"},
        {"name": "x" * 201}, {"description": "x" * 20_001}, {"name": 5}, {"published": "yes"},
        {"name": "\x00"}, [],
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_changes_nothing(world, body) -> None:
    before = world.ann.get("/api/agents/local/firm", "PUT", {"name": "Firm"})

    assert world.ann("PATCH", "/api/agents/local/firm", body).status_code == 422
    assert world.ann.get("/api/agents/local/firm") == before


def test_a_renamed_agent_answers_to_both_handles(world) -> None:
    world.ann.get("/api/agents/local/before", "PUT", {"url": world.serve("one")})

    renamed = world.ann.get("/api/agents/local/before", "PATCH", {"newHandle": "after"})

    assert (renamed["agentId"], renamed["handle"]) == ("local/after", "after")
    assert world.ann.get("/api/agents/local/before")["agentId"] == "local/after"
    assert world.ann.ask("local/before") == world.ann.ask("after") == "one: Hi"
    assert world.ann("PATCH", "/api/agents/local/after", {"newHandle": "before"}).ok
    world.ann.get("/api/agents/local/taken", "PUT", {})
    refused = world.ann("PATCH", "/api/agents/local/before", {"newHandle": "taken", "name": "never"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert world.ann.get("/api/agents/local/before")["name"] == ""


def test_two_changes_at_once_are_never_mixed(world) -> None:
    world.ann.get("/api/agents/local/busy", "PUT", {})
    texts = [f"version {number}" for number in range(12)]

    def change(text: str) -> None:
        world.ann("PATCH", "/api/agents/local/busy", {"name": text, "description": text})

    threads = [threading.Thread(target=change, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    agent = world.ann.get("/api/agents/local/busy")
    assert agent["name"] == agent["description"]
    assert agent["name"] in texts


def test_what_is_not_published_does_not_exist_for_others(world) -> None:
    world.ann.get("/api/agents/local/private", "PUT", {"url": world.serve("one")})
    calls = [
        ("GET", "private", None),
        ("PATCH", "private", {"name": "mine"}),
        ("PUT", "private", {"url": world.serve("two")}),
        ("DELETE", "private", None),
        ("POST", "private", {"message": {"text": "Hi"}}),
        ("POST", "private/lease", {"url": world.serve("one"), "leaseSeconds": 5}),
        ("GET", "private/revisions", None),
        ("POST", "private/revisions", {"url": world.serve("two")}),
        ("PUT", "private/revisions/1/current", None),
        ("DELETE", "private/revisions/1", None),
        ("GET", "private/revisions/1/logs", None),
    ]
    for method, path, body in calls:
        there = world.bob(method, f"/api/agents/local/{path}", body)
        not_there = world.bob(method, f"/api/agents/local/{path.replace('private', 'absent')}", body)
        assert there.status_code == not_there.status_code == 404, (method, path)
        said = there.json()["error"]["message"].replace("private", "absent")
        assert said == not_there.json()["error"]["message"]
    assert world.bob("POST", "/api/refresh/local/private").status_code == 404
    assert world.ann.get("/api/agents/local/private")["name"] == ""


def test_a_published_agent_is_asked_by_others_and_not_changed(world) -> None:
    world.ann.get("/api/agents/local/shown", "PUT", {"url": world.serve("one")})
    agent = world.ann.get("/api/agents/local/shown", "PATCH", {"published": True})

    seen = world.bob.get("/api/agents/local/shown")

    assert world.bob.ask("local/shown") == "one: Hi"
    assert (seen["url"], seen["currentRevisionId"]) == (None, None)
    assert agent["url"] == world.serve("one")
    current = f"/api/agents/local/shown/revisions/{agent['currentRevisionId']}"
    for method, path in (
        ("PATCH", "/api/agents/local/shown"), ("DELETE", "/api/agents/local/shown"), ("DELETE", current),
        ("PUT", f"{current}/current"), ("GET", f"{current}/logs"),
        ("GET", "/api/agents/local/shown/revisions"),
    ):  # fmt: skip
        assert world.bob(method, path, {} if method == "PATCH" else None).status_code == 404
    assert world.ann.get("/api/agents/local/shown") == agent


def test_a_deleted_agent_is_gone_with_its_revisions(world) -> None:
    world.ann.get("/api/agents/local/brief", "PUT", {"url": world.serve("one")})
    assert world.ann("DELETE", "/api/agents/local/brief").status_code == 204
    assert world.ann("GET", "/api/agents/local/brief").status_code == 404
    assert world.ann("GET", "/api/agents/local/brief/revisions").status_code == 404
    assert world.ann("DELETE", "/api/agents/local/brief").status_code == 404


def test_an_agent_that_changed_is_shown_changed_and_one_that_is_gone_unreachable(world) -> None:
    said = {"status": 200, "body": b"{type: standalone, sample_queries: [Old]}"}

    class Agent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(said["status"])
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent) as agent_server:
        threading.Thread(target=agent_server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{agent_server.server_port}"
        old = world.ann.get("/api/agents/local/moody", "PUT", {"url": url})
        said["body"] = b"{type: standalone, sample_queries: [New]}"
        new = world.ann.get("/api/refresh/local/moody", "POST")
        said["status"] = 500
        failed = world.ann("POST", "/api/refresh/local/moody")
        gone = world.ann.get("/api/agents/local/moody")
        (revision,) = world.ann.get("/api/agents/local/moody/revisions")["revisions"]
        agent_server.shutdown()

    assert (old["queries"], new["queries"]) == (["Old"], ["New"])
    assert revision["queries"] == ["New"]
    assert new["modified"] > old["modified"]
    assert failed.status_code == 502
    assert (gone["status"], gone["refreshStatus"], gone["queries"]) == ("unreachable", "FAILED", ["New"])
