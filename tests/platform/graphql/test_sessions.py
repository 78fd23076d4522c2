"""Sessions and messages over GraphQL, in the documents of the clients."""

import hashlib
import itertools
from datetime import datetime

import pytest
import requests

import fixieai

CREATE = """
    mutation CreateSession($frontendAgentId: String) {
        createSession(sessionData: {frontendAgentId: $frontendAgentId}) { session { handle } } }"""
SEND = """
    mutation Send($session: String!, $text: String!) {
        sendSessionMessage(messageData: {session: $session, text: $text}) {
            message { id text type sentBy { handle } }
            response { id text type sentBy { handle } inReplyTo { id text } timestamp model } } }"""
GET = """
    query getSession($handle: String!) {
        sessionByHandle(handle: $handle) { handle name description frontendAgentId } }"""
MESSAGES = """
    query getMessages($handle: String!) { sessionByHandle(handle: $handle) {
        messages { id text sentBy { handle } type inReplyTo { id } timestamp position } } }"""


@pytest.fixture
def session(graphql) -> str:
    handle: str = graphql(CREATE, frontendAgentId="dice").data["createSession"]["session"]["handle"]
    return handle


def test_a_session_is_created_with_an_agent_with_null_and_with_nothing(graphql) -> None:
    for query, variables, agent in (
        (CREATE, {"frontendAgentId": "dice"}, "local/dice"),
        (CREATE, {"frontendAgentId": None}, None),
        ("mutation { createSession { session { handle } } }", {}, None),
    ):
        handle = graphql(query, **variables).data["createSession"]["session"]["handle"]
        found = graphql(GET, handle=handle).data["sessionByHandle"]
        assert found == {"handle": handle, "name": None, "description": None, "frontendAgentId": agent}
        assert len(handle.split("-")) == 3


def test_a_message_is_answered_in_the_session(graphql, session: str) -> None:
    sent = graphql(SEND, session=session, text="Roll 2d20").data["sendSessionMessage"]

    assert sent["message"]["text"] == "Roll 2d20"
    assert sent["message"]["type"] == "query"
    assert sent["message"]["sentBy"] == {"handle": "user"}
    assert sent["response"]["text"] == "You rolled 20 and 20, for a total of 40."
    assert sent["response"]["type"] == "response"
    assert sent["response"]["sentBy"] == {"handle": "local/dice"}
    assert sent["response"]["inReplyTo"] == {"id": sent["message"]["id"], "text": "Roll 2d20"}
    assert sent["response"]["model"] == "few-shot"

    messages = graphql(MESSAGES, handle=session).data["sessionByHandle"]["messages"]
    assert [message["text"] for message in messages] == [
        "Roll 2d20",
        "Ask Func[roll]: 20 2",
        "Func[roll] says: 20 20",
        "You rolled 20 and 20, for a total of 40.",
    ]
    assert [message["position"] for message in messages] == [1, 2, 3, 4]
    assert messages[-1]["inReplyTo"] == {"id": messages[0]["id"]}
    for message in messages:
        assert message["timestamp"].endswith("+00:00")
        assert datetime.fromisoformat(message["timestamp"]).tzinfo
        assert isinstance(message["id"], str)


def test_a_failed_query_says_so_in_its_response(graphql, platform) -> None:
    platform.call("PUT", "/api/agents/local/away", {"url": None})
    session = graphql(CREATE, frontendAgentId="away").data["createSession"]["session"]["handle"]

    sent = graphql(SEND, session=session, text="Hello?").data["sendSessionMessage"]

    assert "is not running" in sent["response"]["text"]
    assert sent["response"]["sentBy"] == {"handle": "platform"}


def test_a_message_to_no_session_or_without_text_is_refused(graphql, session: str) -> None:
    assert graphql(SEND, session="no-such-session", text="Roll a d6").codes == ["not_found"]
    assert graphql(SEND, session=session, text="  ").codes == ["wrong_shape"]
    assert graphql(MESSAGES, handle=session).data["sessionByHandle"]["messages"] == []


def test_a_deleted_session_is_gone_and_shown_as_it_was(graphql, session: str) -> None:
    deleted = graphql(
        "mutation DeleteSession($handle: String!) { deleteSession(handle: $handle) { session { handle } } }",
        handle=session,
    ).data

    listed = graphql("query getSessions { allSessions { handle } }").data["allSessions"]
    assert {"handle": session} not in listed
    assert deleted == {"deleteSession": {"session": {"handle": session}}}
    assert graphql(MESSAGES, handle=session).data == {"sessionByHandle": None}
    assert graphql('{ sessionByHandle(handle: "x\' OR 1=1 --") { handle } }').data == {
        "sessionByHandle": None
    }


def test_sessions_and_messages_come_in_pages(graphql) -> None:
    made = [
        graphql(CREATE, frontendAgentId="dice").data["createSession"]["session"]["handle"] for _ in range(5)
    ]
    for _ in range(2):
        graphql(SEND, session=made[0], text="Roll a d6")
    query = """query($after: String) { sessions(first: 2, after: $after) {
        nodes { handle } edges { cursor node { handle } } pageInfo { hasNextPage endCursor } } }"""

    first = graphql(query).data["sessions"]
    second = graphql(query, after=first["pageInfo"]["endCursor"]).data["sessions"]

    assert [node["handle"] for node in (*first["nodes"], *second["nodes"])] == list(reversed(made))[:4]
    assert first["edges"][1] == {"cursor": first["pageInfo"]["endCursor"], "node": first["nodes"][1]}
    assert first["pageInfo"]["hasNextPage"] is True
    pages = """query($h: String!, $after: String) { sessionByHandle(handle: $h) {
        messagesPage(first: 3, after: $after) {
            nodes { position text } pageInfo { hasNextPage endCursor } } } }"""
    positions, after = [], None
    for _ in itertools.count():
        page = graphql(pages, h=made[0], after=after).data["sessionByHandle"]["messagesPage"]
        positions += [node["position"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert positions == [1, 2, 3, 4, 5, 6, 7, 8]
    assert graphql(query, after="x").codes == ["wrong_shape"]


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("{ sessions(first: 50) { nodes { messages { text inReplyTo { text } } } } }", 2),
        (
            "{ sessions(first: 50) { nodes { messagesPage(first: 2) { nodes { inReplyTo { text } } } } } }",
            3,
        ),
        ("{ allSessions { handle embeds { key embed { url contentType contentHash } } } }", 3),
        ("{ allAgents { agentId owner { __typename } currentRevision { id } allRevisions { id } } }", 3),
        (
            "{ agents(first: 50) { nodes { currentRevision { id } revisions(first: 3) { nodes { id } } } } }",
            3,
        ),
    ],
)
def test_no_field_costs_a_look_per_item(graphql, platform, database_reads, query: str, most: int) -> None:
    for number in range(8):
        session = graphql(CREATE, frontendAgentId="dice").data["createSession"]["session"]["handle"]
        graphql(SEND, session=session, text="Roll a d6")
        platform.call("PUT", f"/api/agents/local/more-{number}", {"url": None})
    graphql("{ user { username } }")  # the key is known now
    database_reads.count = 0

    assert graphql(query).data

    assert database_reads.count <= most


def test_an_answer_that_would_hold_too_much_says_to_ask_in_pages(graphql, monkeypatch, session: str) -> None:
    graphql(SEND, session=session, text="Roll a d6")
    monkeypatch.setattr("fixieai.platform.graphql.context.MAXIMUM_ITEMS", 3)

    answer = graphql(MESSAGES, handle=session)

    assert answer.codes == ["wrong_shape"]
    assert "pages" in answer.messages[0]


def test_what_came_with_messages_is_listed_and_fetched_without_a_key(graphql, platform) -> None:
    def draw(query: fixieai.Message) -> fixieai.Message:
        picture = fixieai.Embed(content_type="text/plain")
        picture.text = "(: "
        return fixieai.Message("Here: #picture", embeds={"picture": picture})

    platform.serve(fixieai.StandaloneAgent(draw), "illustrator")
    handle = graphql(CREATE, frontendAgentId="illustrator").data["createSession"]["session"]["handle"]
    graphql(SEND, session=handle, text="Draw")

    found = graphql(
        """query getEmbeds($h: String!) { sessionByHandle(handle: $h) {
            embeds { key embed { id contentType created contentHash owner { username } url } }
            messages { attachments { key contentType url } } } }""",
        h=handle,
    ).data["sessionByHandle"]

    [listed] = found["embeds"]
    assert listed["key"] == "picture"
    assert listed["embed"]["contentType"] == "text/plain"
    assert listed["embed"]["contentHash"] == hashlib.sha256(b"(: ").hexdigest()
    assert listed["embed"]["owner"] == {"username": "local"}
    assert listed["embed"]["created"].endswith("+00:00")
    assert listed["embed"]["url"].startswith(platform.url)
    [attached] = found["messages"][-1]["attachments"]
    for url in (listed["embed"]["url"], attached["url"]):
        assert requests.get(url, timeout=60).text == "(: "
