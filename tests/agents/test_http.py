"""The HTTP surface of agents, through a real server, as a platform and as an attacker see it."""

import asyncio
import http.client
import json
import logging
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
import requests
import yaml
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from fixieai import errors
from fixieai.agents import exceptions, jwks, openai_proxy
from fixieai.agents import http as agent_http
from fixieai.agents.code_shot import CodeShotAgent
from fixieai.agents.exceptions import AgentException
from fixieai.agents.standalone import StandaloneAgent
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.corpora import CorpusDocument, CorpusPage, CorpusRequest, CorpusResponse
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentQuery, AgentResponse, Message

QUERY = {"message": {"text": "hello"}}


class NotAnException(BaseException):
    pass


class Resource:
    """Something that is no JSON."""

    def __repr__(self) -> str:
        return "<resource>"


def new_agent() -> CodeShotAgent:
    agent = CodeShotAgent("I echo.", ["Q: Hi\nAsk Func[echo]: Hi\nFunc[echo] says: Hi\nA: Hi"])
    for func in (
        echo, echo_async, shout, with_embed, in_pieces, nothing_at_all, wrong_type, refuse, refuse_oddly,
        fail, time_out, leave, leave_async, stop_iteration, unusual, cancel_myself, sleep_long,
        sleep_long_async, surrogate, mistyped, keep, whole_query,
    ):  # fmt: skip
        agent.register_func(func)
    agent.register_func(echo, func_name="corpus")
    agent.register_func(echo, func_name="_hidden")
    agent.register_corpus_func(documents)
    agent.register_corpus_func(no_documents)
    return agent


def echo(query: Message) -> str:
    return query.text


async def echo_async(query: Message) -> str:
    await asyncio.sleep(0)
    return query.text


def shout(query: str) -> Message:
    return Message(query.upper())


def whole_query(query: AgentQuery) -> str:
    return repr(query.access_token)


def with_embed(query: Message) -> AgentResponse:
    embed = Embed("text/plain")
    embed.text = query.embeds["given"].text + "!"
    return AgentResponse(Message("see #made", {"made": embed}))


def in_pieces(query: Message):  # type: ignore[no-untyped-def]
    yield "first"
    yield "second"


def nothing_at_all(query: Message):  # type: ignore[no-untyped-def]
    yield from ()


def wrong_type(query: Message):  # type: ignore[no-untyped-def]
    return 5


def refuse(query: Message) -> str:
    raise AgentException("I will not.", "ERR_WILL_NOT", "because", 409, reason="mood", resource=Resource())


def refuse_oddly(query: Message) -> str:
    raise AgentException("odd", "ERR_ODD", "odd", 204, text="\ud800")


def fail(query: Message) -> str:
    secret = "swordfish"
    raise ValueError(f"the secret is {secret}")


def time_out(query: Message) -> str:
    raise TimeoutError("the author's own")


def leave(query: Message) -> str:
    sys.exit(3)


async def leave_async(query: Message) -> str:
    sys.exit(3)


def stop_iteration(query: Message) -> str:
    raise StopIteration


def unusual(query: Message) -> str:
    raise NotAnException


async def cancel_myself(query: Message) -> str:
    raise asyncio.CancelledError


def sleep_long(query: Message) -> str:
    time.sleep(1.5)
    return "late"


async def sleep_long_async(query: Message) -> str:
    await asyncio.sleep(30)
    return "late"


def surrogate(query: Message) -> str:
    return "half \ud800"


def mistyped(query: Message) -> AgentResponse:
    response = AgentResponse(Message("x"))
    response.message.text = 5  # type: ignore[assignment]
    return response


def keep(query: Message, user_storage: UserStorage) -> str:
    return "kept"


def documents(request: CorpusRequest) -> CorpusResponse:
    content = (request.page_token or "none").encode()
    return CorpusResponse(page=CorpusPage([CorpusDocument("source", content)], "next"))


def no_documents() -> CorpusResponse:
    raise ValueError("the library is closed")


@pytest.fixture(scope="module")
def key_server(shared_key_server: Any) -> Any:
    return shared_key_server


@pytest.fixture(scope="module")
def url(shared_served: Callable[[Any], str]) -> str:
    return shared_served(new_agent())


@pytest.fixture(scope="module")
def post(url: str, key_server: Any) -> Callable[..., requests.Response]:
    """Sends a query to a func, with a valid token unless headers say otherwise."""

    def send(func: str, body: Any = QUERY, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key_server.token()}", "Content-Type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body)
        headers = {k: v for k, v in (headers | options.pop("headers", {})).items() if v is not None}
        return requests.post(f"{url}/{func}", data=content, headers=headers, timeout=20, **options)

    return send


Post = Callable[..., requests.Response]


# Answers


def test_the_handshake_is_the_metadata_as_yaml(url: str, key_server: Any) -> None:
    answer = requests.get(url, headers={"Authorization": f"Bearer {key_server.token()}"}, timeout=20)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(answer.content) == new_agent().metadata().to_dict()


def test_the_handshake_holds_any_text_and_no_aliases(key_server: Any) -> None:
    shot = "Q: é \U0001f600 'a' \"b\": #c\n  - {x}\nA: \x85 \t\x07"
    agent = CodeShotAgent("&a *a " * 1000, [shot, shot])
    claims = VerifiedTokenClaims("o/a", True, "t")
    document = b"".join(piece.encode() for piece in agent_http._pieces(agent_http._yaml(agent)))
    assert claims
    assert yaml.safe_load(document) == agent.metadata().to_dict()
    assert not any(isinstance(found, yaml.AliasToken) for found in yaml.scan(document.decode()))
    assert {len(piece) for piece in list(agent_http._pieces("é" * 5000))[:-1]} == {1024}


@pytest.mark.parametrize("func", ["echo", "echo_async", "corpus", "_hidden"])
def test_a_func_answers(post: Post, func: str) -> None:
    answer = post(func)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text == '{"message":{"text":"hello","embeds":{}},"error":null}'


def test_embeds_come_and_go(post: Post) -> None:
    given = {"given": {"content_type": "text/plain", "uri": "data:base64,aGk="}}
    made = post("with_embed", {"message": {"text": "", "embeds": given}}).json()["message"]["embeds"]["made"]
    assert made == {"content_type": "text/plain", "uri": "data:text/plain;base64,aGkh"}


def test_what_is_not_known_in_a_body_is_ignored(post: Post) -> None:
    older = {"text": "other", "embeds": {}, "access_token": "t", "message": {"text": "hi", "x": [1, {}]}}
    assert post("whole_query", older).json()["message"]["text"] == "'t'"
    assert post("whole_query").json()["message"]["text"] == "None"


def test_only_the_first_item_of_a_func_counts(post: Post) -> None:
    assert post("in_pieces").json()["message"]["text"] == "first"


def test_a_corpus_func_hands_out_documents(post: Post) -> None:
    answer = post("corpus/documents", {"page_token": "p", "other": 1})
    assert answer.json() == {
        "partitions": None,
        "page": {
            "documents": [
                {"source_name": "source", "content": "cA==", "encoding": "UTF-8", "mime_type": "text/plain"}
            ],
            "next_page_token": "next",
        },
    }


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/x+json", None])
def test_json_has_several_names(post: Post, content_type: str | None) -> None:
    assert post("echo", headers={"Content-Type": content_type}).status_code == 200


def test_the_token_is_verified_once_per_request(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    verify = VerifiedTokenClaims.from_token

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return verify(*arguments)

    monkeypatch.setattr(VerifiedTokenClaims, "from_token", counted)
    for _ in range(3):
        assert post("echo").status_code == 200
    assert [len(arguments) for arguments in calls] == [3, 3, 3]


# Failures of the author's code

FAILURES = {
    "fail": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "time_out": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "leave": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "leave_async": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "stop_iteration": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "unusual": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "cancel_myself": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "surrogate": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "mistyped": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "nothing_at_all": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "wrong_type": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "corpus/no_documents": (500, "ERR_AGENT_UNHANDLED_EXCEPTION"),
    "refuse_oddly": (500, "ERR_ODD"),
}


@pytest.mark.parametrize("func", FAILURES)
def test_a_failure_is_an_error_response_and_the_server_goes_on(post: Post, func: str) -> None:
    answer = post(func)
    assert (answer.status_code, answer.json()["error"]["code"]) == FAILURES[func]
    assert answer.json()["message"]["embeds"] == {}
    assert not any(word in answer.text for word in ("Traceback", "swordfish", "traceback", ".py"))
    assert post("echo").status_code == 200


def test_a_traceback_is_in_the_log_of_the_agent(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "fixieai.agents"):
        assert post("fail").json()["error"]["details"] == {}
    assert "ValueError: the secret is swordfish" in caplog.text


def test_in_debug_mode_the_traceback_is_in_the_answer(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXIE_AGENT_DEBUG", "1")
    headers = {"Authorization": f"Bearer {key_server.token()}"}
    url = served(new_agent())
    answer = requests.post(f"{url}/fail", json=QUERY, headers=headers, timeout=20)
    assert answer.json()["error"]["details"]["traceback"][-1] == "ValueError: the secret is swordfish\n"
    answer = requests.post(f"{url}/refuse", json=QUERY, headers=headers, timeout=20)
    assert answer.json()["error"]["details"]["traceback"][-1].endswith("AgentException: because\n")


def test_an_agent_exception_says_what_is_answered(post: Post) -> None:
    answer = post("refuse")
    assert answer.status_code == 409
    assert answer.json() == {
        "message": {"text": "I will not.", "embeds": {}},
        "error": {
            "code": "ERR_WILL_NOT",
            "message": "because",
            "details": {"reason": "mood", "resource": "<resource>"},
        },
    }


@pytest.mark.parametrize("func", ["sleep_long", "sleep_long_async"])
def test_a_func_that_takes_too_long_is_given_up(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch, func: str
) -> None:
    monkeypatch.setenv("FIXIE_FUNC_TIMEOUT", "0.2")
    headers = {"Authorization": f"Bearer {key_server.token()}"}
    began = time.monotonic()
    answer = requests.post(f"{served(new_agent())}/{func}", json=QUERY, headers=headers, timeout=20)
    assert time.monotonic() - began < 1.2
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "ERR_AGENT_TIMEOUT")


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan"])
def test_a_time_limit_that_is_none_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FIXIE_FUNC_TIMEOUT", value)
    with pytest.raises(errors.ConfigurationError, match="FIXIE_FUNC_TIMEOUT"):
        agent_http.build_app(new_agent())


def test_user_storage_needs_a_user(post: Post, key_server: Any) -> None:
    anonymous = {"Authorization": f"Bearer {key_server.token(sub=None)}"}
    answer = post("keep", headers=anonymous)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "ERR_USERSTORAGE_REQUIRES_USER"
    assert post("echo", headers=anonymous).status_code == 200


# Names

ODD_NAMES = [
    "nosuch", "Echo", "echo\u0301", "..", "../echo", "%2e%2e", "echo%00", "a" * 5000, "'; DROP TABLE x; --",
    "{0.__class__}", "%s%n", "corpus/nosuch", "corpus/echo", "documents", "__class__", " echo", "echo ", "\\",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_a_name_that_is_not_registered_is_not_found(url: str, key_server: Any, name: str) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
    headers = {"Authorization": f"Bearer {key_server.token()}", "Content-Type": "application/json"}
    connection.request("POST", "/" + urllib.parse.quote(name, safe="/"), json.dumps(QUERY), headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert answer.status == 404
    if "/" not in name or name.startswith("corpus/"):
        assert body["error"]["code"] == "ERR_FUNC_NOT_DEFINED"
        details = body["error"]["details"]
        assert details["func_name"] == name.removeprefix("corpus/")[:200]
        assert not {"_hidden", "_oauth"} & set(details["available_funcs"])
        assert ({"documents", "no_documents"} if "/" in name else {"echo", "fail"}) <= set(
            details["available_funcs"]
        )
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("DELETE", "/echo", 405),
        ("GET", "/echo", 405),
        ("GET", "/corpus/documents", 405),
        ("POST", "/echo/", 404),
        ("POST", "//", 404),
        ("GET", "/docs", 405),
        ("GET", "/openapi.json", 405),
        ("GET", "/a/b/c", 404),
    ],
)
def test_there_is_nothing_else(url: str, method: str, path: str, status: int) -> None:
    answer = requests.request(method, url + path, timeout=20, allow_redirects=False)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}


# Credentials

NOT_AUTHENTICATED = "Not authenticated"
NOT_BEARER = "Invalid authentication credentials"
CREDENTIALS: dict[str, tuple[list[bytes], str]] = {
    "none": ([], NOT_AUTHENTICATED),
    "empty": ([b""], NOT_AUTHENTICATED),
    "no token": ([b"Bearer"], NOT_AUTHENTICATED),
    "only a space": ([b"Bearer  "], NOT_AUTHENTICATED),
    "basic": ([b"Basic dXNlcjpwYXNz"], NOT_BEARER),
    "no scheme": ([b"{token}"], NOT_AUTHENTICATED),
    "two of them": ([b"Bearer {token}", b"Bearer {token}"], NOT_BEARER),
    "a good and an empty one": ([b"Bearer {token}", b""], NOT_BEARER),
    "two in one": ([b"Bearer {token}, Bearer {token}"], "Invalid token"),
    "nonsense": ([b"Bearer nonsense"], "Invalid token"),
    "not ASCII": ([b"Bearer \xff\xfe"], "Invalid token"),
    "huge": ([b"Bearer " + b"x" * 30_000], "Invalid token"),
}


@pytest.mark.parametrize("what", CREDENTIALS)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("POST", "/echo"), ("POST", "/nosuch"), ("POST", "/corpus/documents")],
)
def test_nothing_is_answered_without_one_valid_token(
    url: str, key_server: Any, what: str, method: str, path: str
) -> None:
    values, detail = CREDENTIALS[what]
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
    connection.putrequest(method, path)
    for value in values:
        connection.putheader("Authorization", value.replace(b"{token}", key_server.token().encode()))
    body = b"{not json"
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (403, {"detail": detail})
    connection.close()


def test_the_scheme_may_be_written_in_any_case(post: Post, key_server: Any) -> None:
    assert post("echo", headers={"Authorization": f"bEARER {key_server.token()}"}).status_code == 200


def test_a_token_for_another_agent_is_refused_when_the_agent_is_pinned(
    served: Callable[[Any], str], key_server: Any
) -> None:
    agent = new_agent()
    agent._allowed_agent_id = "owner/other"
    headers = {"Authorization": f"Bearer {key_server.token()}"}
    answer = requests.post(f"{served(agent)}/echo", json=QUERY, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Invalid token"})


def test_while_the_keys_cannot_be_fetched_the_answer_is_to_come_back(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_server, "answer", (500, b""))
    headers = {"Authorization": f"Bearer {key_server.token()}"}
    answer = requests.post(f"{served(new_agent())}/echo", json=QUERY, headers=headers, timeout=20)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert set(answer.json()) == {"detail"}


def test_a_slow_key_server_holds_up_nobody_whose_token_is_known(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "COOL_DOWN_SECONDS", 0.0)
    echo_url = served(new_agent()) + "/echo"

    def send(**headers: str) -> int:
        signed = {"Authorization": f"Bearer {key_server.token(headers=headers)}"}
        return requests.post(echo_url, json=QUERY, headers=signed, timeout=20).status_code

    assert send() == 200
    monkeypatch.setattr(key_server, "pause", 2.0)
    fetches = len(key_server.requests)
    held_up = threading.Thread(target=send, kwargs={"kid": "made up"})
    held_up.start()
    while len(key_server.requests) == fetches:
        time.sleep(0.01)
    began = time.monotonic()
    assert [send() for _ in range(10)] == [200] * 10
    assert time.monotonic() - began < 1
    assert held_up.is_alive()
    held_up.join()


# Bodies

OK = b'{"message": {"text": "x"}'
WRONG_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{not json",
    "more than one": OK + b"} {}",
    "null": b"null",
    "array": b"[]",
    "text": b'"x"',
    "number": b"1",
    "no message": b"{}",
    "message null": b'{"message": null}',
    "message text": b'{"message": "x"}',
    "message array": b'{"message": ["x"]}',
    "no text": b'{"message": {}}',
    "text null": b'{"message": {"text": null}}',
    "text number": b'{"message": {"text": 1}}',
    "text array": b'{"message": {"text": ["x"]}}',
    "token number": OK + b', "access_token": 1}',
    "embeds null": b'{"message": {"text": "x", "embeds": null}}',
    "embeds array": b'{"message": {"text": "x", "embeds": []}}',
    "embed null": b'{"message": {"text": "x", "embeds": {"a": null}}}',
    "embed without uri": b'{"message": {"text": "x", "embeds": {"a": {"content_type": "t/p"}}}}',
    "embed without type": b'{"message": {"text": "x", "embeds": {"a": {"uri": "data:,"}}}}',
    "embed with a number": b'{"message": {"text": "x", "embeds": {"a": {"content_type": 1, "uri": ""}}}}',
    "NaN": OK + b', "x": NaN}',
    "infinity": OK + b', "x": [-Infinity]}',
    "NaN as text": b'{"message": {"text": NaN}}',
    "long integer": OK + b', "x": ' + b"9" * 100_000 + b"}",
    "nested arrays": OK + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested mappings": b'{"message":' * 100_000 + b"1" + b"}" * 100_000,
    "open arrays": b"[" * 100_000,
    "invalid UTF-8": b'{"message": {"text": "\xff"}}',
    "overlong UTF-8": b'{"message": {"text": "\xc0\xaf"}}',
    "surrogate in UTF-8": b'{"message": {"text": "\xed\xa0\x80"}}',
    "UTF-16": (OK + b"}").decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + OK + b"}",
    "lone surrogate": b'{"message": {"text": "\\ud800"}}',
    "lone surrogate in a key": b'{"message": {"text": "x", "embeds": {"\\udc00": null}}}',
    "NUL": b'{"message": {"text": "a\\u0000b"}}',
    "NUL after a backslash": b'{"message": {"text": "a\\\\\\u0000b"}}',
    "NUL in a key": b'{"message": {"text": "x", "embeds": {"\\u0000": {"content_type": "t", "uri": "u"}}}}',
    "raw NUL": b'{"message": {"text": "a\x00b"}}',
    "raw newline": b'{"message": {"text": "a\nb"}}',
    "half a million embeds": b'{"message":{"text":"","embeds":{%s}}}'
    % b",".join(b'"%d":1' % number for number in range(350_000)),
    "ten thousand wrong embeds": b'{"message":{"text":"","embeds":{%s}}}'
    % b",".join(b'"%d":1' % number for number in range(5_000)),
    "a long key": b'{"message":{"text":"","embeds":{"%s":1}}}' % (b"k" * 1_000_000),
}


@pytest.mark.parametrize("what", WRONG_BODIES)
def test_a_wrong_body_is_told_what_is_wrong_and_where(post: Post, what: str) -> None:
    answer = post("echo", WRONG_BODIES[what])
    assert answer.status_code == 422
    problems = answer.json()["detail"]
    assert 0 < len(problems) <= 20
    for problem in problems:
        assert set(problem) == {"loc", "msg", "type"}
        assert problem["loc"][0] == "body"
    assert len(answer.content) < 10_000
    assert "Traceback" not in answer.text
    assert post("echo").status_code == 200


def test_the_place_of_a_problem_is_named(post: Post) -> None:
    answer = post("echo", {"message": {"text": None}})
    assert answer.json() == {
        "detail": [
            {
                "loc": ["body", "message", "text"],
                "msg": "Input should be a valid string",
                "type": "string_type",
            }
        ]
    }


@pytest.mark.parametrize(
    "body", [{"partition": 1}, {"page_token": []}, [], None, "x", {"partition": "\0"}], ids=range(6)
)
def test_a_corpus_request_has_a_shape_too(post: Post, body: Any) -> None:
    assert post("corpus/documents", body).status_code == 422


def test_text_that_only_looks_dangerous_arrives(post: Post) -> None:
    for text in ("NaN", "Infinity", "\\u0000", "\\\\u0000", "\U0001f600", "\x7f\x80", "a\nb", "\u2028"):
        assert post("echo", {"message": {"text": text}}).json()["message"]["text"] == text


def test_of_repeated_keys_the_last_counts(post: Post) -> None:
    answer = post("echo", b'{"message": {"text": "a"}, "message": {"text": "b", "text": "c"}}')
    assert answer.json()["message"]["text"] == "c"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_body_that_is_not_said_to_be_json_is_not_read(post: Post, content_type: str) -> None:
    answer = post("echo", headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body"])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x"])
def test_a_compressed_body_is_refused_unread(post: Post, encoding: str) -> None:
    answer = post("echo", b"\x1f\x8b" + b"\0" * 1000, headers={"Content-Encoding": encoding})
    assert (answer.status_code, set(answer.json())) == (415, {"detail"})


def test_a_large_body_is_refused_by_its_declared_length(url: str, key_server: Any) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
    headers = {"Authorization": f"Bearer {key_server.token()}", "Content-Length": str(64 * 1024 * 1024)}
    connection.request("POST", "/echo", b"{", headers)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_large_body_is_refused_by_count(url: str, key_server: Any) -> None:
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            b"Authorization: Bearer " + key_server.token().encode() + b"\r\n\r\n"
        )
        chunk = b"x" * 64 * 1024
        for _ in range(65):
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_ends_early_ends_nothing_else(url: str, post: Post, key_server: Any) -> None:
    address = urllib.parse.urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
            b"Authorization: Bearer " + key_server.token().encode() + b"\r\n\r\n{"
        )
    assert post("echo").status_code == 200


# Standalone agents


def lines_of(answer: requests.Response) -> list[Any]:
    return [json.loads(line) for line in answer.content.splitlines()]


def ask(url: str, key_server: Any, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key_server.token()}"}
    return requests.post(url + "/", json=QUERY, headers=headers, timeout=20, **options)


def test_a_standalone_agent_answers_a_line_per_item(served: Callable[[Any], str], key_server: Any) -> None:
    answer = ask(served(StandaloneAgent(in_pieces)), key_server)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert [line["message"]["text"] for line in lines_of(answer)] == ["first", "second"]
    assert answer.content.endswith(b"\n")


@pytest.mark.parametrize("is_async", [False, True])
def test_each_line_is_sent_as_soon_as_it_is_there(
    served: Callable[[Any], str], key_server: Any, is_async: bool
) -> None:
    has_read = threading.Event()

    def pieces(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        yield str(has_read.wait(10))

    async def pieces_async(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        yield str(await asyncio.to_thread(has_read.wait, 10))

    url = served(StandaloneAgent(pieces_async if is_async else pieces))
    with ask(url, key_server, stream=True) as answer:
        lines = answer.iter_lines(chunk_size=1)
        assert json.loads(next(lines))["message"]["text"] == "first"
        has_read.set()
        assert json.loads(next(lines))["message"]["text"] == "True"


def test_a_single_answer_is_a_single_line(served: Callable[[Any], str], key_server: Any) -> None:
    assert lines_of(ask(served(StandaloneAgent(echo)), key_server))[0]["message"]["text"] == "hello"


def test_no_items_are_no_lines(served: Callable[[Any], str], key_server: Any) -> None:
    answer = ask(served(StandaloneAgent(nothing_at_all)), key_server)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_failure_before_the_first_line_has_the_status(
    served: Callable[[Any], str], key_server: Any
) -> None:
    answer = ask(served(StandaloneAgent(fail)), key_server)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "ERR_AGENT_UNHANDLED_EXCEPTION")


def test_a_failure_on_the_way_is_the_last_line(served: Callable[[Any], str], key_server: Any) -> None:
    def breaks(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        sys.exit(1)

    answer = ask(served(StandaloneAgent(breaks)), key_server)
    assert answer.status_code == 200
    first, last = lines_of(answer)
    assert (first["message"]["text"], first["error"]) == ("first", None)
    assert last["message"]["text"] == exceptions.UNHANDLED_EXCEPTION_RESPONSE_TEXT
    assert last["error"]["code"] == "ERR_AGENT_UNHANDLED_EXCEPTION"


def test_a_stream_that_stalls_ends_with_an_error(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stalls(query: Message):  # type: ignore[no-untyped-def]
        yield "first"
        await asyncio.sleep(30)
        yield "never"

    monkeypatch.setenv("FIXIE_FUNC_TIMEOUT", "0.2")
    first, last = lines_of(ask(served(StandaloneAgent(stalls)), key_server))
    assert (first["error"], last["error"]["code"]) == (None, "ERR_AGENT_TIMEOUT")


def test_a_stream_nobody_reads_is_ended(served: Callable[[Any], str], key_server: Any) -> None:
    has_ended = threading.Event()

    async def endless(query: Message):  # type: ignore[no-untyped-def]
        try:
            while True:
                yield "x" * 10_000
                await asyncio.sleep(0.01)
        finally:
            has_ended.set()

    with ask(served(StandaloneAgent(endless)), key_server, stream=True) as answer:
        next(answer.iter_lines(chunk_size=1))
    assert has_ended.wait(10)


# Other doors


def test_the_routes_work_in_an_application_of_the_authors_own(key_server: Any) -> None:
    agent = new_agent()
    client = TestClient(Starlette(routes=[Mount("/agents/mine", routes=agent_http.build_routes(agent))]))
    assert client.post("/agents/mine/echo", json=QUERY).json() == {"detail": "Not authenticated"}


def test_a_func_knows_the_token_of_its_request(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    def look(query: Message) -> str:
        seen.append(openai_proxy._current_request_token.get())
        return ""

    agent = CodeShotAgent("", [])
    agent.register_func(look)
    text = key_server.token()
    requests.post(
        f"{served(agent)}/look", json=QUERY, headers={"Authorization": f"Bearer {text}"}, timeout=20
    )
    assert seen == [text]
