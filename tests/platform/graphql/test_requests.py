"""What reaches POST /graphql: keys, bodies, bombs. Every refusal has the shape of GraphQL."""

import json
import subprocess
import sys
import time

import pytest
import requests
from graphql import get_introspection_query

from fixieai.platform.graphql.documents import MAXIMUM_ALIASES, MAXIMUM_DEPTH

ME = "{ user { username } }"


def chained(count: int, last: str, times: int = 1) -> str:
    """Fragments that each hold the next one so many times."""
    links = [f"fragment f{at} on UserType {{ {f'...f{at + 1} ' * times}}}" for at in range(count)]
    return " ".join(["{ user { ...f0 } }", *links, f"fragment f{count} on UserType {{ {last} }}"])


BOMBS = {
    "depth": "{ user " + "{ organization " * (MAXIMUM_DEPTH + 1) + "{ handle }" + "}" * (MAXIMUM_DEPTH + 2),
    "nesting": "{a" * 1000 + "}" * 1000,
    "aliases": "{ user { " + " ".join(f"a{at}: username" for at in range(MAXIMUM_ALIASES + 1)) + " } }",
    "aliases in fragments": chained(20, "a: username", times=2),
    "fields in fragments": chained(20, "username", times=2),
    "a long chain of fragments": chained(300, "username"),
    "fragments in a circle": "{ user { ...a } } fragment a on UserType { ...b }"
    " fragment b on UserType { ...a }",
    "the same field": "{ user { " + "username " * 2400 + "} }",
    "tokens": "{ user { username " + "@skip(if: false) " * 700 + "} }",
    "comments": "#\n" * 5000 + ME,
    "text": ME + " " * 400_000,
    "lists in lists": "{ allSessions { messages { inReplyTo { inReplyTo { inReplyTo { id } } } } } }",
    "a page": "{ sessions(first: 1000) { nodes { messagesPage(first: 1000) { nodes { id } } } } }",
    "a number of thousands of digits": "{ sessions(first: " + "9" * 5000 + ") { nodes { handle } } }",
    "nested values": "{ agentById(agentId: " + "[" * 800 + "]" * 800 + ") { handle } }",
    "operations": " ".join(f"query q{at} {{ user {{ username }} }}" for at in range(400)),
    "introspection": "{ " + " ".join(f"a{at}: __schema {{ types {{ name }} }}" for at in range(6)) + " }",
    "introspection in circles": "{ __schema { types "
    + "{ fields { type " * 8
    + "{ name }"
    + "} }" * 8
    + " } }",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(graphql, bomb: str) -> None:
    began = time.process_time()
    answer = graphql(BOMBS[bomb])

    assert answer.status == 400
    assert answer.content["data"] is None
    assert set(answer.codes) == {"wrong_shape"}
    assert time.process_time() - began < 2
    assert graphql(ME).data == {"user": {"username": "local"}}


def test_what_a_page_costs_is_looked_at_again_for_other_variables(graphql) -> None:
    query = "query($n: Int!) { sessions(first: $n) { nodes { messagesPage(first: $n) { nodes { id } } } } }"

    assert graphql(query, n=5).status == 200
    assert "values" in graphql(query, n=900).messages[0]
    assert graphql(query, n=5).status == 200
    assert graphql(query, n=0).messages == ["first: must be 1 to 1,000"]


def test_the_usual_introspection_fits(graphql) -> None:
    query = get_introspection_query(
        specified_by_url=True, schema_description=True, input_value_deprecation=True
    )

    assert graphql(query).data["__schema"]["queryType"]["name"] == "Query"


KEYS = {
    "none": {},
    "another scheme": {"Authorization": "Basic bG9jYWw6eA=="},
    "garbage": {"Authorization": "Bearer not.a.token"},
    "no token": {"Authorization": "Bearer "},
}


@pytest.mark.parametrize("key", KEYS)
def test_without_a_good_key_the_answer_is_401_in_the_shape_of_graphql(graphql, key: str) -> None:
    answer = graphql.send(json={"query": get_introspection_query()}, headers=KEYS[key])

    assert answer.status == 401
    assert answer.response.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content["data"] is None
    assert answer.messages[0]


def test_the_token_of_a_query_is_no_key(platform, graphql) -> None:
    """An agent has what it was given for its storage; as the person it may do nothing here."""
    got = []
    import fixieai

    def keep(query: fixieai.AgentQuery) -> str:
        got.append(query.access_token)
        return "kept"

    platform.serve(fixieai.StandaloneAgent(keep), "keeper")
    platform.ask("keeper", "Keep it")

    answer = graphql.send(json={"query": ME}, headers={"Authorization": f"Bearer {got[0]}"})

    assert got[0]
    assert answer.status == 401


BODIES = {
    "a batch": ([{"query": ME}], 422),
    "nothing": ({}, 422),
    "a number as query": ({"query": 1}, 422),
    "no object of variables": ({"query": ME, "variables": [1]}, 422),
    "a number as operation": ({"query": ME, "operationName": 3}, 422),
    "no such operation": ({"query": "query A { user { username } }", "operationName": "B"}, 400),
    "an empty query": ({"query": ""}, 400),
    "no GraphQL": ({"query": "SELECT * FROM users"}, 400),
    "an unknown field": ({"query": "{ user { password } }"}, 400),
    "an unknown argument": ({"query": "{ allAgents(limit: 1) { handle } }"}, 400),
    "a subscription": ({"query": "subscription { user { username } }"}, 400),
    "a variable of another type": (
        {"query": "query($h: String!) { sessionByHandle(handle: $h) { handle } }", "variables": {"h": 5}},
        400,
    ),
    "a variable that is missing": (
        {"query": "query($h: String!) { sessionByHandle(handle: $h) { handle } }"},
        400,
    ),
    "a file that is none": (
        {
            "query": "mutation($r: AgentRevisionInput!) { createAgentRevision("
            'agentHandle: "dice", makeCurrent: true, revision: $r) { revision { id } } }',
            "variables": {
                "r": {"metadata": [], "managedDeployment": {"environment": "PYTHON", "codePackage": "/x"}}
            },
        },
        400,
    ),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_body_of_another_shape_is_refused_with_what_is_wrong(graphql, body: str) -> None:
    content, status = BODIES[body]
    answer = graphql.post(content)

    assert answer.status == status
    assert answer.content["data"] is None
    text = json.dumps(answer.content)
    assert not any(word in text for word in ("Traceback", "sqlite", ".py", "Did you mean"))


RAW = {
    "text": (b"{ user { username } }", "application/graphql", 415),
    "a form": (b"query=x", "application/x-www-form-urlencoded", 415),
    "no JSON": (b"{", "application/json", 422),
    "nested": (b"[" * 100_000, "application/json", 422),
    "keys twice": (b'{"query": "{ user { username } }", "query": "x"}', "application/json", 422),
    "not UTF-8": (b'{"query": "\xff"}', "application/json", 422),
    "a lone surrogate": (b'{"query": "{ user { username } } # \\ud800"}', "application/json", 422),
    "too much": (b'{"query": "' + b" " * 5_000_000 + b'"}', "application/json", 413),
}


@pytest.mark.parametrize("raw", RAW)
def test_bytes_that_are_no_request_are_refused(graphql, raw: str) -> None:
    content, media_type, status = RAW[raw]

    answer = graphql.send(data=content, headers=graphql.headers | {"Content-Type": media_type})

    assert answer.status == status
    assert answer.content["data"] is None
    assert answer.messages[0]


def test_graphql_is_loaded_when_somebody_asks_for_it() -> None:
    """A fifth of a second of the start, and memory."""
    code = "import sys, fixieai.platform.app; print({'ariadne', 'graphql', 'openai'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout == "set()\n"


def test_get_is_the_schema_browser_and_answers_no_query(platform, graphql) -> None:
    page = requests.get(f"{graphql.url}?query={ME}", headers=graphql.headers, timeout=60)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "local" not in page.text
    assert requests.put(graphql.url, headers=graphql.headers, timeout=60).status_code == 405


def test_an_error_names_the_field_and_what_to_do(graphql) -> None:
    answer = graphql(
        'mutation { createSession(sessionData: {frontendAgentId: "nobody/nothing"}) { session { handle } } }'
    )

    assert answer.status == 200
    [error] = answer.content["errors"]
    assert error["path"] == ["createSession"]
    assert error["extensions"]["code"] == "not_found"
    assert error["extensions"]["reference"] == answer.response.headers["X-Request-Reference"]
    assert answer.content["data"] == {"createSession": None}


UPLOAD = """mutation($r: AgentRevisionInput!) {
  createAgentRevision(agentHandle: "dice", makeCurrent: true, revision: $r) { revision { id } } }"""
PLACE = "variables.r.managedDeployment.codePackage"


def package(**more: object) -> dict[str, object]:
    return {
        "r": {"metadata": [], "managedDeployment": {"environment": "PYTHON", "codePackage": None, **more}}
    }


MULTIPART = {
    "no map": ({"map": ""}, {}),
    "no operations": ({"operations": ""}, {}),
    "a map that is a list": ({"map": "[]"}, {"0": (PLACE, b"x")}),
    "a map of numbers": ({"map": '{"0": [1]}'}, {"0": (PLACE, b"x")}),
    "a file that the map lacks": ({"map": "{}"}, {"0": (PLACE, b"x")}),
    "a file that is not there": ({"map": f'{{"0": ["{PLACE}"]}}'}, {}),
    "a place that is not there": ({}, {"0": ("variables.r.nothing.codePackage", b"x")}),
    "a place that is taken": ({}, {"0": ("variables.r.metadata", b"x")}),
    "a place outside of the variables": ({}, {"0": ("query", b"x")}),
    "a place in a list": ({}, {"0": ("variables.r.metadata.0", b"x")}),
    "too many files": ({}, {str(at): (PLACE, b"x") for at in range(6)}),
    "a field twice the size": (
        {"operations": json.dumps({"query": ME, "variables": {"x": "y" * 2_000_000}})},
        {},
    ),
    "a batch": ({"operations": json.dumps([{"query": ME}])}, {}),
}


@pytest.mark.parametrize("case", MULTIPART)
def test_multipart_of_another_shape_is_refused(graphql, case: str) -> None:
    parts, files = MULTIPART[case]
    answer = graphql.upload(UPLOAD, package(), files, **parts)

    assert answer.status in (400, 422)
    assert answer.content["data"] is None


def test_multipart_without_a_boundary_or_an_end_is_refused(graphql) -> None:
    for media_type, content in (
        ("multipart/form-data", b"x"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{',
        ),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: y\r\n" * 50_000),
    ):
        answer = graphql.send(data=content, headers=graphql.headers | {"Content-Type": media_type})
        assert answer.status in (400, 422), content[:80]
        assert answer.content["data"] is None


def test_multipart_without_files_is_a_request_like_any_other(graphql) -> None:
    assert graphql.upload(ME, {}).data == {"user": {"username": "local"}}
