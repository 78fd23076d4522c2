import email.parser
import io
import json

import graphql
import pytest

from fixieai import errors
from fixieai.client.client import FixieClient, FixieEnvironment
from fixieai.client.graphql import is_query, text_of

NAMES = "query Names($first: Int) { allAgents { handle } }"


class Request:
    """As gql 4 wraps a document."""

    def __init__(self, document: graphql.DocumentNode) -> None:
        self.document = document


def fields_of(seen) -> dict[str, email.message.Message]:
    head = f"Content-Type: {seen.headers['Content-Type']}\n\n".encode()
    form = email.parser.BytesParser().parsebytes(head + seen.body)
    parts = form.get_payload()
    return {part.get_param("name", header="content-disposition"): part for part in parts}


def json_in(part) -> object:
    return json.loads(part.get_payload(decode=True))


@pytest.mark.parametrize(
    "document",
    [NAMES, graphql.parse(NAMES), graphql.parse(NAMES, no_location=True), Request(graphql.parse(NAMES))],
    ids=["text", "node", "node without its source", "request of gql"],
)
def test_documents_come_in_every_usual_form(scripted_platform, client, document):
    scripted_platform.will({"data": {"allAgents": []}})
    assert client.gqlclient.execute(document, {"first": 1}) == {"allAgents": []}
    (seen,) = scripted_platform.seen
    assert (seen.method, seen.path, seen.body["variables"]) == ("POST", "/graphql", {"first": 1})
    sent = graphql.print_ast(graphql.parse(seen.body["query"]))
    assert sent == graphql.print_ast(graphql.parse(NAMES))


def test_what_is_no_document_is_a_type_error():
    with pytest.raises(TypeError, match="not int"):
        text_of(3)


def test_without_variables_none_are_sent(scripted_platform, client):
    scripted_platform.will({"data": {}})
    client.gqlclient.execute("{ user { username } }")
    assert list(scripted_platform.seen[0].body) == ["query"]
    scripted_platform.will({"data": {}})
    client.gqlclient.execute("query A { user { username } } query B { user { username } }", None, "B")
    assert scripted_platform.seen[1].body["operationName"] == "B"


@pytest.mark.parametrize(
    ("text", "asks_only"),
    [
        ("{ user { username } }", True),
        ('query { agentById(agentId: "mutation") { handle } } # mutation', True),
        ("mutation Do { deleteSession { session { handle } } }", False),
        ("query A { user { username } } mutation B { deleteSession { session { handle } } }", False),
        ('query { a(b: "\\"") } mutation { c }', False),
    ],
)
def test_what_could_change_something_is_told_apart(text, asks_only):
    assert is_query(text) is asks_only


def test_a_query_is_repeated_when_the_failure_may_pass_and_a_mutation_is_not(scripted_platform, client):
    scripted_platform.will({}, status=503)
    scripted_platform.will({"data": {"user": None}})
    assert client.gqlclient.execute("{ user { username } }") == {"user": None}
    scripted_platform.will({}, status=503)
    with pytest.raises(errors.ServiceUnavailable):
        client.gqlclient.execute("mutation { createSession { session { handle } } }")
    assert len(scripted_platform.seen) == 3


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, {"errors": [{"message": "no", "extensions": {"code": "not_found"}}]}, errors.NotFound),
        (200, {"errors": [{"message": "no"}], "data": None}, errors.BadRequest),
        (400, {"errors": [{"message": "no"}]}, errors.BadRequest),
        (401, {"errors": [{"message": "no"}], "data": None}, errors.Unauthenticated),
        (200, {"errors": ["no"]}, errors.BadRequest),
        (200, {}, errors.UpstreamError),
        (200, [], errors.UpstreamError),
    ],
)
def test_refusals_have_the_classes_of_the_rest(scripted_platform, client, status, content, kind):
    scripted_platform.will(content, status=status)
    with pytest.raises(kind):
        client.gqlclient.execute("mutation { createSession { session { handle } } }")


def test_a_package_goes_as_the_form_of_the_contract(scripted_platform, client):
    scripted_platform.will({"data": {"createAgentRevision": {"revision": {"id": "7"}}}})
    sent = []
    package = io.BytesIO(b"\x1f\x8b" + b"x" * 200_000)
    revision = client.create_agent_revision(
        "dice",
        True,
        metadata={"a": "b"},
        gzip_tarfile=package,
        environment=FixieEnvironment.NODEJS,
        progress=lambda done, whole: sent.append((done, whole)),
    )
    assert revision == "7"
    fields = fields_of(scripted_platform.seen[0])
    assert list(fields) == ["operations", "map", "0"]
    operation = json_in(fields["operations"])
    assert operation["variables"] == {
        "handle": "dice",
        "makeCurrent": True,
        "reindexCorpora": False,
        "metadata": [{"key": "a", "value": "b"}],
        "externalDeployment": None,
        "managedDeployment": {"environment": "NODEJS", "codePackage": None},
    }
    assert json_in(fields["map"]) == {"0": ["variables.managedDeployment.codePackage"]}
    assert fields["0"].get_filename() == "upload.tar.gz"
    assert fields["0"].get_content_type() == "application/gzip"
    assert fields["0"].get_payload(decode=True) == package.getvalue()
    assert sent == sorted(sent)
    assert sent[-1] == (len(scripted_platform.seen[0].body),) * 2


def test_an_external_revision_is_a_form_without_files(scripted_platform, client):
    scripted_platform.will({"username": "ann"})
    scripted_platform.will({"data": {"createAgentRevision": {"revision": {"id": "8"}}}})
    assert client.create_agent_revision("acme/dice", False, external_url="http://x") == "8"
    fields = fields_of(scripted_platform.seen[-1])
    assert list(fields) == ["operations", "map"]
    assert json_in(fields["map"]) == {}
    assert json_in(fields["operations"])["variables"]["handle"] == "acme/dice"


@pytest.mark.parametrize("given", [{}, {"external_url": "http://x", "gzip_tarfile": io.BytesIO()}])
def test_a_revision_is_either_an_address_or_code(client, given):
    with pytest.raises(ValueError, match="exactly one"):
        client.create_agent_revision("dice", True, **given)


def test_the_current_revision_is_none_when_there_is_no_agent_or_no_revision(scripted_platform, client):
    scripted_platform.will({"data": {"agentById": None}})
    scripted_platform.will({"data": {"agentById": {"currentRevision": None}}})
    scripted_platform.will({"data": {"agentById": {"currentRevision": {"id": "3"}}}})
    assert [client.get_current_agent_revision("dice") for _ in range(3)] == [None, None, "3"]
    assert scripted_platform.seen[0].body["variables"] == {"agentId": "dice"}


def test_a_clone_asks_the_same_platform_with_the_same_key(scripted_platform, client):
    scripted_platform.will({"username": "ann"})
    other = client.clone()
    assert isinstance(other, FixieClient)
    assert other.get_current_username() == "ann"
    assert scripted_platform.seen[0].headers["Authorization"] == "Bearer a-key"
