"""What a person may use on a day holds for two platforms together."""

import concurrent.futures
import contextlib
import pathlib
import time
from collections import Counter
from typing import Any

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.testing.model_server import ModelServer, Says


@pytest.fixture
def two(start: Any, postgres_url: str, tmp_path: pathlib.Path) -> Any:
    """Starts two with the same variables."""

    def start_two(**variables: str) -> list[Any]:
        found = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            found.append(start(postgres_url, tmp_path / name, **variables))
        return found

    return start_two


def test_of_many_storage_calls_at_both_exactly_as_many_as_the_limit_pass(two: Any) -> None:
    limit = 100
    replicas = two(FIXIE_DAILY_STORAGE_CALLS=str(limit))
    tokens: list[str] = []

    def note(query: fixieai.AgentQuery) -> str:
        tokens.append(query.access_token or "")
        return "noted"

    def put(number: int) -> int:
        url = f"{replicas[number % 2].url}/api/userstorage/local/note/key"
        headers = {"Authorization": f"Bearer {tokens[0]}"}
        return requests.post(url, json={"data": str(number)}, headers=headers, timeout=60).status_code

    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(16) as pool:
        one = testing.Platform(replicas[0].url, replicas[0].key, stack)
        one.serve(fixieai.StandaloneAgent(note), "note")
        one.ask("note", "?")
        passed = Counter(pool.map(put, range(60)))
        assert passed == {200: 60}
        passed += Counter(pool.map(put, range(90)))
        assert passed[200] <= limit
        until = time.monotonic() + 60
        while passed[200] < limit and time.monotonic() < until:  # what one of them set aside is given back
            time.sleep(0.5)
            passed += Counter(map(put, range(2)))
        assert set(map(put, range(10))) == {429}

    assert passed[200] == limit
    assert {replica.ok("GET", "/api/usage")["storageCalls"]["used"] for replica in replicas} == {limit}


def test_of_many_model_calls_at_both_one_goes_beyond_the_limit_of_tokens(two: Any) -> None:
    with ModelServer([Says("Hello there.", seconds_per_word=0.02, usage=(90, 10))]) as server:
        replicas = two(
            FIXIE_DAILY_TOKENS="250",
            FIXIE_LLM_BASE_URL=server.base_url,
            FIXIE_DEFAULT_MODEL="custom/scripted",
            FIXIE_LLM_RETRIES="0",
        )

        def ask(number: int) -> int:
            question = {"message": {"text": "Hello"}}
            return replicas[number % 2].call("POST", "/api/agents/local/chat", question).status_code

        with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(12) as pool:
            one = testing.Platform(replicas[0].url, replicas[0].key, stack)
            one.serve(fixieai.CodeShotAgent("I chat.", []), "chat")
            assert Counter(pool.map(ask, range(12))) == {200: 3, 429: 9}

        assert len(server.requests) == 3
        assert {replica.ok("GET", "/api/usage")["tokens"]["used"] for replica in replicas} == {300}
