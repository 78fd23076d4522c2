"""Agents and revisions over GraphQL, in the documents of the clients."""

import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

CREATE = """
    mutation CreateAgent(
        $handle: String!, $name: String, $description: String!, $moreInfoUrl: String, $published: Boolean
    ) {
        createAgent(agentData: {
            handle: $handle, name: $name, description: $description, moreInfoUrl: $moreInfoUrl,
            published: $published
        }) { agent { agentId } } }"""
UPDATE = """
    mutation UpdateAgent(
        $handle: String!, $newHandle: String, $name: String, $description: String, $moreInfoUrl: String,
        $published: Boolean
    ) {
        updateAgent(agentData: {
            handle: $handle, newHandle: $newHandle, name: $name, description: $description,
            moreInfoUrl: $moreInfoUrl, published: $published
        }) { agent { agentId name description } } }"""
GET = """
    query getAgentById($agentId: String!) { agentById(agentId: $agentId) {
        agentId handle name description queries moreInfoUrl published
        owner { __typename ... on UserType { username } ... on OrganizationType { handle } }
        queryUrl funcUrl created modified refreshStatus avatar hasManagedDeployment type status } }"""
REVISE = """
    mutation CreateAgentRevision($handle: String!, $makeCurrent: Boolean!,
        $metadata: [RevisionMetadataKeyValuePairInput!]!, $externalDeployment: ExternalDeploymentInput,
        $managedDeployment: ManagedDeploymentInput, $reindexCorpora: Boolean!) {
        createAgentRevision(agentHandle: $handle, makeCurrent: $makeCurrent, reindexCorpora: $reindexCorpora,
            revision: {metadata: $metadata, externalDeployment: $externalDeployment,
                managedDeployment: $managedDeployment}) { revision { id } } }"""
SET_CURRENT = """
    mutation SetCurrentAgentRevision($handle: String!, $currentRevisionId: ID!) {
        updateAgent(agentData: {handle: $handle, currentRevisionId: $currentRevisionId}) {
            agent { agentId currentRevision { id } } } }"""
REVISIONS = """
    query GetRevisions($agentId: String!) { agentById(agentId: $agentId) { allRevisions {
        id created isCurrent indexedCorpora { status } metadata { key value }
        deployment {
            __typename ... on ExternalDeployment { url } ... on ManagedDeployment { environment } } } } }"""
CURRENT = "query GetRevisionId($agentId: String!) { agentById(agentId: $agentId) { currentRevision { id } } }"


class Answering(http.server.BaseHTTPRequestHandler):
    """An agent without a handshake."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def agent_url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


PROGRAM = {
    "main.py": "",
    "agent/agent.yaml": "handle: packed\n",
    "agent/main.py": "import fixieai\nagent = fixieai.StandaloneAgent(lambda query: query.text[::-1])\n",
}


def packed(files: dict[str, str]) -> bytes:
    """As a command line sends them: a gzip tar."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def upload(graphql, package: bytes):
    """As a new revision of `packed`."""
    variables = {
        "handle": "packed",
        "makeCurrent": True,
        "metadata": [],
        "externalDeployment": None,
        "managedDeployment": {"environment": "PYTHON", "codePackage": None},
        "reindexCorpora": False,
    }
    return graphql.upload(REVISE, variables, {"0": ("variables.managedDeployment.codePackage", package)})


def get(graphql, agent_id: str) -> dict:
    return graphql(GET, agentId=agent_id).data["agentById"]


def test_an_agent_is_created_updated_in_parts_and_deleted(graphql) -> None:
    created = graphql(
        CREATE, handle="miniaturist", name=None, description="", moreInfoUrl="", published=None
    ).data
    assert created == {"createAgent": {"agent": {"agentId": "local/miniaturist"}}}

    graphql(UPDATE, handle="miniaturist", newHandle="miniaturist", description="Paints.")
    graphql(UPDATE, handle="miniaturist", name="Painter", published=True)

    found = get(graphql, "local/miniaturist")
    assert (found["name"], found["description"], found["published"]) == ("Painter", "Paints.", True)
    assert found["owner"] == {"__typename": "UserType", "username": "local"}
    assert found["hasManagedDeployment"] is False
    for field in ("created", "modified"):
        assert found[field].endswith("+00:00")
        assert datetime.fromisoformat(found[field])
    delete = """mutation DeleteAgent($owner: String, $handle: String!) {
        deleteAgent(agentData: {owner: $owner, handle: $handle}) { agent { agentId } } }"""
    assert graphql(delete, owner="local", handle="miniaturist").data == {
        "deleteAgent": {"agent": {"agentId": "local/miniaturist"}}
    }
    assert get(graphql, "local/miniaturist") is None
    assert graphql(delete, handle="miniaturist").codes == ["not_found"]


def test_a_handle_that_is_taken_or_cannot_be_one_is_refused(graphql) -> None:
    graphql(CREATE, handle="taken", description="")

    assert graphql(CREATE, handle="taken", description="").codes == ["conflict"]
    assert graphql(CREATE, handle="../x", description="").codes == ["wrong_shape"]
    assert graphql(UPDATE, handle="taken", newHandle="").codes == ["wrong_shape"]
    assert graphql(UPDATE, handle="nobody/nothing", name="x").codes == ["not_found"]


def test_a_renamed_agent_is_found_by_both_names(graphql) -> None:
    graphql(CREATE, handle="before", description="", name="One")

    renamed = graphql(UPDATE, handle="before", newHandle="after").data["updateAgent"]["agent"]

    assert renamed["agentId"] == "local/after"
    assert get(graphql, "local/before")["agentId"] == "local/after"
    assert get(graphql, "after")["name"] == "One"


def test_a_bare_handle_is_the_callers_own_and_unknown_ones_are_null(graphql) -> None:
    assert get(graphql, "dice")["agentId"] == "local/dice"
    assert get(graphql, "dice")["queries"] == ["Roll a d20", "Roll 3d8"]
    assert get(graphql, "dice")["refreshStatus"] == "SUCCEEDED"
    for unknown in ("nope", "nobody/dice", "", "a/b/c", "x\u202e", "%2e%2e/dice"):
        assert get(graphql, unknown) is None
    assert graphql('{ agentByHandle(handle: "dice") { agentId } }').data == {
        "agentByHandle": {"agentId": "local/dice"}
    }
    listed = graphql("query getAgents { allAgents { agentId name description moreInfoUrl } }").data[
        "allAgents"
    ]
    assert "local/dice" in [agent["agentId"] for agent in listed]


def revise(graphql, url: str, *, current: bool = True, metadata: dict[str, str] | None = None) -> str:
    """As the client does: always multipart, with nothing in the map."""
    answer = graphql.upload(
        REVISE,
        {
            "handle": "elsewhere",
            "makeCurrent": current,
            "metadata": [{"key": key, "value": value} for key, value in (metadata or {}).items()],
            "externalDeployment": {"url": url},
            "managedDeployment": None,
            "reindexCorpora": False,
        },
    )
    revision_id = answer.data["createAgentRevision"]["revision"]["id"]
    assert isinstance(revision_id, str)
    return revision_id


def test_revisions_are_made_made_current_and_deleted(graphql, agent_url: str) -> None:
    graphql(CREATE, handle="elsewhere", description="")
    first = revise(graphql, agent_url, metadata={"fixie.ai/client": "python-cli"})
    second = revise(graphql, f"{agent_url}/two", current=False)
    assert graphql(CURRENT, agentId="elsewhere").data["agentById"]["currentRevision"]["id"] == first

    changed = graphql(SET_CURRENT, handle="elsewhere", currentRevisionId=second).data["updateAgent"]["agent"]
    assert changed == {"agentId": "local/elsewhere", "currentRevision": {"id": second}}

    newest, oldest = graphql(REVISIONS, agentId="elsewhere").data["agentById"]["allRevisions"]
    assert (newest["id"], newest["isCurrent"], newest["metadata"]) == (second, True, [])
    assert newest["deployment"] == {"__typename": "ExternalDeployment", "url": f"{agent_url}/two"}
    assert (oldest["id"], oldest["isCurrent"]) == (first, False)
    assert oldest["metadata"] == [{"key": "fixie.ai/client", "value": "python-cli"}]
    assert oldest["created"].endswith("+00:00")
    pages = """query($after: String) { agentById(agentId: "elsewhere") {
        revisions(first: 1, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } }"""
    page = graphql(pages).data["agentById"]["revisions"]
    assert page["pageInfo"] == {"hasNextPage": True, "endCursor": second}
    assert graphql(pages, after=second).data["agentById"]["revisions"]["nodes"] == [{"id": first}]

    delete = """mutation DeleteRevision($handle: String!, $revisionId: ID!) {
        deleteAgentRevision(agentHandle: $handle, revisionId: $revisionId) { agent { agentId } } }"""
    assert graphql(delete, handle="elsewhere", revisionId=first).data["deleteAgentRevision"]["agent"][
        "agentId"
    ]
    for revision_id in (first, "nonsense", "-1", "9" * 400):
        assert graphql(delete, handle="elsewhere", revisionId=revision_id).codes == ["not_found"]
    assert len(graphql(REVISIONS, agentId="elsewhere").data["agentById"]["allRevisions"]) == 1


def test_a_revision_has_one_deployment(graphql, agent_url: str) -> None:
    graphql(CREATE, handle="elsewhere", description="")
    variables = {"handle": "elsewhere", "makeCurrent": True, "metadata": [], "reindexCorpora": False}

    assert graphql.upload(REVISE, variables).codes == ["wrong_shape"]
    bad = variables | {"externalDeployment": {"url": "file:///etc/passwd"}}
    assert graphql.upload(REVISE, bad).codes in (["wrong_shape"], ["forbidden"], ["bad_request"])


def test_a_package_of_code_becomes_an_agent_that_answers(graphql) -> None:
    graphql(CREATE, handle="packed", description="")

    answer = upload(graphql, packed(PROGRAM))

    revision_id = answer.data["createAgentRevision"]["revision"]["id"]
    agent = get(graphql, "packed")
    assert (agent["hasManagedDeployment"], agent["type"]) == (True, "standalone")
    [revision] = graphql(REVISIONS, agentId="packed").data["agentById"]["allRevisions"]
    assert (revision["id"], revision["isCurrent"]) == (revision_id, True)
    assert revision["deployment"] == {"__typename": "ManagedDeployment", "environment": "PYTHON"}
    send = """mutation($session: String!) {
        sendSessionMessage(messageData: {session: $session, text: "desserts"}) { response { text } } }"""
    create = 'mutation { createSession(sessionData: {frontendAgentId: "packed"}) { session { handle } } }'
    session = graphql(create).data["createSession"]["session"]["handle"]
    assert graphql(send, session=session).data["sendSessionMessage"]["response"] == {"text": "stressed"}
    assert graphql('mutation { deleteAgent(agentData: {handle: "packed"}) { agent { agentId } } }').data


def test_a_package_that_is_none_is_refused_with_its_reason(graphql) -> None:
    graphql(CREATE, handle="packed", description="")

    answer = upload(graphql, b"not a tar" * 200_000)

    assert answer.content["data"] == {"createAgentRevision": None}
    assert answer.codes[0] in ("wrong_shape", "bad_request", "unavailable")
    assert graphql(REVISIONS, agentId="packed").data["agentById"]["allRevisions"] == []


def test_who_may_use_an_agent_of_somebody_else_does_not_learn_where_it_runs(
    graphql, graphql_of, platform, agent_url: str
) -> None:
    create = """mutation($url: String) { createAgent(agentData: {
        handle: "shared", description: "", queryUrl: $url, published: true}) { agent { agentId } } }"""
    graphql(create, url=agent_url)
    query = """{ agentById(agentId: "local/shared") { agentId queryUrl funcUrl
        currentRevision { id } allRevisions { id } revisions { nodes { id } } owner { ... on UserType {
        username firstName email dailyUsedQueries organizations { handle } } } } }"""

    seen = graphql_of(platform.add_user("reader"))(query).data["agentById"]

    assert seen == {
        "agentId": "local/shared",
        "queryUrl": None,
        "funcUrl": None,
        "currentRevision": None,
        "allRevisions": [],
        "revisions": {"nodes": []},
        "owner": {
            "username": "local",
            "firstName": None,
            "email": None,
            "dailyUsedQueries": None,
            "organizations": [],
        },
    }
    mine = graphql(query).data["agentById"]
    assert mine["queryUrl"] == agent_url
    assert len(mine["allRevisions"]) == 1


def test_what_an_organisation_owns_its_members_change(graphql, platform) -> None:
    platform.call("POST", "/api/organizations", {"handle": "acme", "name": "Acme"})
    create = """mutation {
        createAgent(agentData: {handle: "clerk", description: "", owner: "acme"}) { agent { agentId } } }"""

    assert graphql(create).data == {"createAgent": {"agent": {"agentId": "acme/clerk"}}}

    assert graphql(UPDATE, handle="acme/clerk", name="Clerk").data["updateAgent"]["agent"]["name"] == "Clerk"
    assert get(graphql, "acme/clerk")["owner"] == {"__typename": "OrganizationType", "handle": "acme"}
    me = graphql("{ user { organization { handle name } organizations { handle } } }").data["user"]
    assert me == {"organization": {"handle": "acme", "name": "Acme"}, "organizations": [{"handle": "acme"}]}
    delete = 'mutation { deleteAgent(agentData: {owner: "acme", handle: "clerk"}) { agent { agentId } } }'
    assert graphql(delete).data == {"deleteAgent": {"agent": {"agentId": "acme/clerk"}}}
