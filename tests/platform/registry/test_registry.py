"""Agents over HTTP: made, changed, renamed, published; whose they are, and who sees what."""

import http.server
import json
import threading

import pytest
from free_ports import free_port


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
    same = world.ann.get("/api/agents/local/before", "PATCH", {"newHandle": "before", "name": "One"})
    assert (same["agentId"], same["name"]) == ("local/after", "One")
    assert world.ann("PATCH", "/api/agents/local/after", {"name": ""}).ok
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


def test_an_agent_of_the_older_kind_is_a_revision_like_any_other(world) -> None:
    class Old(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"text": asked["text"].upper()}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Old) as agent_server:
        threading.Thread(target=agent_server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{agent_server.server_port}"
        world.ann.get("/api/agents/local/old", "PUT", {})
        revision = world.ann.get("/api/agents/local/old/revisions", "POST", {"url": url})
        answer = world.ann.ask("old", "hush")
        refreshed = world.ann.get("/api/refresh/local/old", "POST")
        agent_server.shutdown()

    assert (revision["type"], revision["queries"], answer) == ("unknown", [], "HUSH")
    assert (refreshed["type"], refreshed["refreshStatus"]) == ("unknown", "SUCCEEDED")


def test_an_agent_that_queries_do_not_reach_is_shown_so_until_they_do(world, eventually) -> None:
    class Echo(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"message": {"text": "back"}}')

        def log_message(self, *_: object) -> None:
            pass

    def status() -> str:
        return str(world.ann.get("/api/agents/local/shaky")["status"])

    address = "127.0.0.1", free_port()
    with http.server.ThreadingHTTPServer(address, Echo) as first:
        threading.Thread(target=first.serve_forever, daemon=True).start()
        world.ann.get("/api/agents/local/shaky", "PUT", {"url": f"http://127.0.0.1:{first.server_port}"})
        modified = world.ann.get("/api/agents/local/shaky")["modified"]
        first.shutdown()
    for _ in range(5):
        assert "could not be reached" in world.ann.ask("shaky")
    assert eventually(lambda: status() == "unreachable")
    with http.server.ThreadingHTTPServer(address, Echo) as second:
        threading.Thread(target=second.serve_forever, daemon=True).start()
        assert eventually(lambda: world.ann.ask("shaky") == "back")
        assert eventually(lambda: status() == "online")
        second.shutdown()
    assert world.ann.get("/api/agents/local/shaky")["modified"] == modified


def _graphql(person, text: str, **variables: object) -> dict[str, object]:
    answer = person.get("/graphql", "POST", {"query": text, "variables": variables})
    assert "errors" not in answer, answer
    return next(iter(answer["data"].values()))["agent"]


def test_an_address_that_an_old_client_names_becomes_the_current_revision(world, dead_url) -> None:
    fields = "{ agent { handle queryUrl funcUrl queries refreshStatus status currentRevision { id } } }"
    create = f"mutation ($data: CreateAgentInput!) {{ createAgent(agentData: $data) {fields} }}"
    update = f"mutation ($data: UpdateAgentInput!) {{ updateAgent(agentData: $data) {fields} }}"
    data = {"handle": "old-style", "description": ""}

    silent = _graphql(world.ann, create, data=data | {"queryUrl": dead_url})
    found = _graphql(world.ann, update, data=data | {"queryUrl": world.serve("one")})
    moved = _graphql(world.ann, update, data=data | {"funcUrl": world.serve("two")})
    again = _graphql(world.ann, update, data=data | {"funcUrl": world.serve("two")})

    assert (silent["queryUrl"], silent["status"], silent["refreshStatus"]) == (
        dead_url, "unreachable", "FAILED",
    )  # fmt: skip
    assert (found["queries"], found["status"], found["refreshStatus"]) == (["Say one"], "online", "SUCCEEDED")
    assert (moved["queryUrl"], moved["funcUrl"]) == (world.serve("one"), world.serve("two"))
    assert world.ann.ask("old-style") == "two: Hi"
    assert again["currentRevision"] == moved["currentRevision"] != found["currentRevision"]
    for url in ("ftp://x", "http://user:word@127.0.0.1", "no address"):
        body = {"query": update, "variables": {"data": data | {"queryUrl": url}}}
        assert world.ann.get("/graphql", "POST", body)["errors"]


def test_where_an_agent_should_be_is_told_its_owner_alone(world, dead_url) -> None:
    create = "mutation ($data: CreateAgentInput!) { createAgent(agentData: $data) { agent { handle } } }"
    lost = {"handle": "lost", "description": "", "queryUrl": dead_url, "published": True}
    _graphql(world.ann, create, data=lost)

    assert f"local/lost at {dead_url} could not be reached" in world.ann.ask("lost")
    told = world.bob.ask("local/lost")
    assert "local/lost could not be reached" in told
    assert dead_url not in told
