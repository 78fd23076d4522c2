"""Whatever is one person's does not exist for another: over REST, GraphQL and signed addresses.

Ann has one of everything. Bob asks for each by its true name, and for one that nobody has: both
answers are the same, and nothing of Ann's has changed afterwards.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

import fixieai
from fixieai import testing

_SECRET = "ann's own words"
_DIARY = """
Q: Keep milk
Ask Func[keep]: milk
Func[keep] says: kept
A: I kept it.

Q: What did I keep?
Ask Func[recall]: now
Func[recall] says: milk
A: You kept milk.
"""


def make_diary() -> fixieai.CodeShotAgent:
    agent = fixieai.CodeShotAgent("I keep things.", _DIARY)

    @agent.register_func
    def keep(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
        user_storage["kept"] = query.text
        return "kept"

    @agent.register_func
    def recall(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
        return str(user_storage.get("kept", "nothing"))

    return agent


@dataclass(frozen=True)
class World:
    """Ann's things, by the names that they have in addresses; and somebody who is not Ann."""

    ann: testing.Platform
    bob: testing.Platform
    session: str
    revision: str
    key_id: str
    embed_url: str

    def named(self, text: str) -> str:
        return (
            text.replace("{session}", self.session)
            .replace("{revision}", self.revision)
            .replace("{key}", self.key_id)
        )


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with testing.platform() as local:
        ann, bob = local.add_user("ann"), local.add_user("bob")
        ann.serve(make_diary(), "diary")
        bob.serve(make_diary(), "diary")
        picture = "data:text/plain;base64," + base64.b64encode(_SECRET.encode()).decode()
        message = {
            "text": "Keep milk #note",
            "embeds": {"note": {"content_type": "text/plain", "uri": picture}},
        }
        asked = ann.call("POST", "/api/agents/ann/diary", {"message": message})
        session = asked["session"]
        embeds = ann.call("GET", f"/api/sessions/{session}/embeds")["embeds"]
        yield World(
            ann,
            bob,
            session,
            ann.call("GET", "/api/agents/ann/diary/revisions")["revisions"][0]["id"],
            ann.call("GET", "/api/users/ann/keys")["keys"][0]["id"],
            next(each["embed"]["url"] for each in embeds if each["key"] == "note"),
        )


def send(person: testing.Platform, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(
        method,
        person.url + path,
        json=body,
        headers={"Authorization": f"Bearer {person.api_key}"},
        timeout=60,
        stream=True,
    )


def snapshot(ann: testing.Platform, world: World) -> str:
    """All there is of Ann's."""
    agents = "/api/agents/ann/diary"
    paths = (agents, f"{agents}/revisions", f"/api/sessions/{world.session}", "/api/users/ann/keys")
    found = [ann.call("GET", path) for path in (*paths, "/api/sessions", "/api/user")]
    messages = ann.call("GET", f"/api/sessions/{world.session}/messages")["messages"]
    return json.dumps([found, [message["text"] for message in messages]], sort_keys=True)


# Each with the true name, and with one that nobody has.
_REST = [
    ("GET", "/api/agents/ann/{diary}", None),
    ("POST", "/api/agents/ann/{diary}", {"message": {"text": "What did I keep?"}}),
    ("PUT", "/api/agents/ann/{diary}", {"url": "http://127.0.0.1:9"}),
    ("PATCH", "/api/agents/ann/{diary}", {"description": "mine"}),
    ("DELETE", "/api/agents/ann/{diary}", None),
    ("POST", "/api/agents/ann/{diary}/lease", {"url": "http://127.0.0.1:9", "leaseSeconds": 60}),
    ("POST", "/api/refresh/ann/{diary}", None),
    ("GET", "/api/agents/ann/{diary}/revisions", None),
    ("POST", "/api/agents/ann/{diary}/revisions", {"url": "http://127.0.0.1:9", "makeCurrent": True}),
    ("PUT", "/api/agents/ann/{diary}/revisions/{revision}/current", None),
    ("DELETE", "/api/agents/ann/{diary}/revisions/{revision}", None),
    ("GET", "/api/agents/ann/{diary}/revisions/{revision}/logs", None),
    # Ann's revision, under an agent of Bob's own.
    ("PUT", "/api/agents/bob/diary/revisions/{revision}/current", None),
    ("DELETE", "/api/agents/bob/diary/revisions/{revision}", None),
    ("GET", "/api/agents/bob/diary/revisions/{revision}/logs", None),
    ("GET", "/api/sessions/{session}", None),
    ("DELETE", "/api/sessions/{session}", None),
    ("GET", "/api/sessions/{session}/messages", None),
    ("GET", "/api/sessions/{session}/events", None),
    ("GET", "/api/sessions/{session}/embeds", None),
    ("POST", "/api/agents/bob/diary", {"message": {"text": "Keep milk"}, "session": "{session}"}),
    ("POST", "/api/sessions", {"frontendAgentId": "ann/{diary}"}),
    ("GET", "/api/users/{ann}/keys", None),
    ("POST", "/api/users/{ann}/keys", {"name": "mine"}),
    ("DELETE", "/api/users/{ann}/keys/{key}", None),
    ("DELETE", "/api/users/bob/keys/{key}", None),
]
_NOBODYS = {
    "{diary}": "nothing",
    "{session}": "no-such-session",
    "{revision}": "1",
    "{key}": "0" * 24,
    "{ann}": "nobody",
}


@pytest.mark.parametrize(("method", "path", "body"), _REST)
def test_what_is_anns_answers_bob_as_what_does_not_exist(world: World, method, path, body) -> None:
    before = snapshot(world.ann, world)
    true = world.named(json.dumps([path, body]).replace("{diary}", "diary").replace("{ann}", "ann"))
    false = json.dumps([path, body])
    for name, nobodys in _NOBODYS.items():
        false = false.replace(name, nobodys)

    answers = [send(world.bob, method, *json.loads(names)) for names in (true, false)]

    assert [answer.status_code for answer in answers] == [404, 404], [answer.text for answer in answers]
    shown, unknown = (without_names(world, answer) for answer in answers)
    assert shown == unknown
    assert snapshot(world.ann, world) == before


@pytest.mark.parametrize(
    ("method", "path", "body"), [row for row in _REST if row[0] != "DELETE" and "/bob/" not in row[1]]
)
def test_the_same_is_there_for_ann(world: World, method, path, body) -> None:
    """So that a mistake in an address above does not pass for a refusal."""
    names = world.named(json.dumps([path, body]).replace("{diary}", "diary").replace("{ann}", "ann"))
    with send(world.ann, method, *json.loads(names)) as answer:
        assert answer.status_code not in (401, 403, 404, 405), answer.text


def without_names(world: World, answer: requests.Response) -> object:
    """The error, without the name that was asked for and the reference of the request."""
    text = answer.text
    for name in ("ann/diary", "ann/nothing", "'ann'", "'nobody'", "diary", world.session, *_NOBODYS.values()):
        text = text.replace(name, "?")
    error = json.loads(text)["error"]
    return error["code"], error["message"]


_GRAPHQL = [
    '{ agentById(agentId: "ann/diary") { description } }',
    '{ sessionByHandle(handle: "{session}") { messages { text } } }',
    'mutation { updateAgent(agentData: {handle: "ann/diary", description: "mine"}) { agent { handle } } }',
    'mutation { deleteAgent(agentData: {owner: "ann", handle: "diary"}) { agent { handle } } }',
    'mutation { deleteAgentRevision(agentHandle: "ann/diary", revisionId: {revision}) { agent { handle } } }',
    'mutation { deleteAgentRevision(agentHandle: "diary", revisionId: "{revision}") { agent { handle } } }',
    'mutation { updateAgent(agentData: {handle: "diary", currentRevisionId: {revision}}) { __typename } }',
    'mutation { createSession(sessionData: {frontendAgentId: "ann/diary"}) { session { handle } } }',
    'mutation { deleteSession(handle: "{session}") { session { handle } } }',
    'mutation { sendSessionMessage(messageData: {session: "{session}", text: "Hi"}) { message { id } } }',
]


@pytest.mark.parametrize("document", _GRAPHQL)
def test_graphql_shows_and_changes_nothing_of_anns(world: World, document: str) -> None:
    before = snapshot(world.ann, world)

    answer = send(world.bob, "POST", "/graphql", {"query": world.named(document)})

    assert answer.status_code == 200
    assert all(value is None for value in (answer.json()["data"] or {}).values()), answer.text
    assert _SECRET not in answer.text
    assert snapshot(world.ann, world) == before


def test_graphql_shows_them_to_ann(world: World) -> None:
    for document in _GRAPHQL[:2]:
        assert (
            None
            not in send(world.ann, "POST", "/graphql", {"query": world.named(document)})
            .json()["data"]
            .values()
        )


def test_lists_hold_what_is_ones_own(world: World) -> None:
    documents = "{ allAgents { agentId } allSessions { handle } }"
    for person in (world.ann, world.bob):
        found = send(person, "POST", "/graphql", {"query": documents}).json()["data"]
        assert found["allAgents"] == [{"agentId": f"{person.username}/diary"}]
        assert (world.session in json.dumps(found["allSessions"])) == (person is world.ann)
    listed = [send(world.bob, "GET", path).text for path in ("/api/agents", "/api/sessions", "/api/usage")]
    assert not any("ann" in text or world.session in text for text in listed)


def test_each_person_has_a_storage_of_their_own_with_the_same_agent(world: World) -> None:
    world.ann.call("PATCH", "/api/agents/ann/diary", {"published": True})
    try:
        world.ann.ask("diary", "Keep milk")
        body = {"message": {"text": "What did I keep?"}}
        assert "nothing" in world.bob.call("POST", "/api/agents/ann/diary", body)["message"]["text"]
        assert "milk" in world.ann.ask("diary", "What did I keep?").text
    finally:
        world.ann.call("PATCH", "/api/agents/ann/diary", {"published": False})


def test_a_published_agent_is_used_by_others_and_changed_by_none(world: World) -> None:
    world.ann.call("PATCH", "/api/agents/ann/diary", {"published": True})
    try:
        seen = world.bob.call("GET", "/api/agents/ann/diary")
        assert (seen["url"], seen["currentRevisionId"]) == (None, None)
        changes = [
            ("PATCH", "/api/agents/ann/diary", {"published": False}),
            ("DELETE", "/api/agents/ann/diary", None),
            ("GET", "/api/agents/ann/diary/revisions", None),
            ("GET", f"/api/agents/ann/diary/revisions/{world.revision}/logs", None),
        ]
        assert [send(world.bob, *change).status_code for change in changes] == [404] * 4
    finally:
        world.ann.call("PATCH", "/api/agents/ann/diary", {"published": False})


def test_the_address_of_an_embed_opens_nothing_but_that_embed(world: World) -> None:
    assert requests.get(world.embed_url, timeout=60).text == _SECRET
    scheme, _, rest = world.embed_url.partition("/attachment/")
    for at in range(0, len(rest), 7):
        changed = rest[:at] + ("A" if rest[at] != "A" else "B") + rest[at + 1 :]
        answer = requests.get(f"{scheme}/attachment/{changed}", timeout=60)
        assert answer.status_code in (403, 404)
        assert _SECRET not in answer.text


def test_a_key_of_an_administrator_shows_no_conversations(world: World) -> None:
    """Whoever runs the platform can read its disk; the interface is no way around that."""
    with requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {world.ann.api_key}"
        assert http.get(f"{world.ann.url}/api/users", timeout=60).status_code == 403
