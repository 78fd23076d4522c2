"""Who may ask an agent: through a real server, as an attacker sees it."""

import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
import requests
from odd_funcs import QUERY, Post, new_agent

from fixieai.agents import jwks

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
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
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
    answer = requests.post(f"{served(agent)}/echo", json=QUERY, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Invalid token"})


def test_while_the_keys_cannot_be_fetched_the_answer_is_to_come_back(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_server, "answer", (500, b""))
    headers = {"Authorization": f"Bearer {key_server.token()}"}
    answer = requests.post(f"{served(new_agent())}/echo", json=QUERY, headers=headers, timeout=60)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert set(answer.json()) == {"detail"}


def test_a_slow_key_server_holds_up_nobody_whose_token_is_known(
    served: Callable[[Any], str], key_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "COOL_DOWN_SECONDS", 0.0)
    echo_url = served(new_agent()) + "/echo"

    def send(**headers: str) -> int:
        signed = {"Authorization": f"Bearer {key_server.token(headers=headers)}"}
        return requests.post(echo_url, json=QUERY, headers=signed, timeout=60).status_code

    assert send() == 200
    key_server.may_answer.clear()
    fetches = len(key_server.requests)
    held_up = threading.Thread(target=send, kwargs={"kid": "made up"})
    held_up.start()
    while len(key_server.requests) == fetches:
        time.sleep(0.01)
    try:
        assert [send() for _ in range(10)] == [200] * 10
        assert held_up.is_alive()
    finally:
        key_server.may_answer.set()
        held_up.join()
