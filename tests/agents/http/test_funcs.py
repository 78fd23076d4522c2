"""The HTTP surface of agents, through a real server, as a platform sees it."""

import http.client
import json
import logging
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import pytest
import requests
import yaml
from odd_funcs import QUERY, Post, new_agent
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from fixieai import errors
from fixieai.agents import http as agent_http
from fixieai.agents import openai_proxy
from fixieai.agents.code_shot import CodeShotAgent
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.messages import Message

# Answers


def test_the_handshake_is_the_metadata_as_yaml(url: str, key_server: Any) -> None:
    answer = requests.get(url, headers={"Authorization": f"Bearer {key_server.token()}"}, timeout=60)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/yaml")
    assert yaml.safe_load(answer.content) == new_agent().metadata().to_dict()


async def test_the_handshake_holds_any_text_and_no_aliases() -> None:
    shot = "Q: é \U0001f600 'a' \"b\": #c\n  - {x}\nA: \x85 \t\x07"
    agent = CodeShotAgent("&a *a " * 1000, [shot, shot])
    document = b"".join([piece.encode() async for piece in agent_http._pieces(agent_http._yaml(agent))])
    assert yaml.safe_load(document) == agent.metadata().to_dict()
    assert not any(isinstance(found, yaml.AliasToken) for found in yaml.scan(document.decode()))
    pieces = [piece async for piece in agent_http._pieces("é" * 5000)]
    assert {len(piece) for piece in pieces[:-1]} == {1024}


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
    answer = requests.post(f"{url}/fail", json=QUERY, headers=headers, timeout=60)
    assert answer.json()["error"]["details"]["traceback"][-1] == "ValueError: the secret is swordfish\n"
    answer = requests.post(f"{url}/refuse", json=QUERY, headers=headers, timeout=60)
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
    answer = requests.post(f"{served(new_agent())}/{func}", json=QUERY, headers=headers, timeout=60)
    assert time.monotonic() - began < 15
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "ERR_AGENT_TIMEOUT")


def test_the_handshake_needs_no_thread_that_funcs_may_have_taken(
    served: Callable[[Any], str], key_server: Any
) -> None:
    agent = CodeShotAgent("I block.", [])
    is_taken, may_end = threading.Event(), threading.Event()

    @agent.register_func
    async def leave_one_thread() -> str:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        return ""

    @agent.register_func
    def block() -> str:
        is_taken.set()
        may_end.wait(60)
        return ""

    url, headers = served(agent), {"Authorization": f"Bearer {key_server.token()}"}

    def call(func: str) -> int:
        return requests.post(f"{url}/{func}", json=QUERY, headers=headers, timeout=60).status_code

    assert call("leave_one_thread") == 200
    blocking = threading.Thread(target=call, args=("block",))
    blocking.start()
    try:
        assert is_taken.wait(60)
        assert (
            yaml.safe_load(requests.get(url, headers=headers, timeout=30).text) == agent.metadata().to_dict()
        )
    finally:
        may_end.set()
        blocking.join()


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
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
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
    answer = requests.request(method, url + path, timeout=60, allow_redirects=False)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}


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
