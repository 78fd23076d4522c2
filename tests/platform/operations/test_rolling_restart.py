"""Two replicas behind a load balancer are replaced one after the other, and nobody notices."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import platform_programs
import pytest
import requests
from free_ports import free_port

import fixieai
from fixieai import credentials, testing
from fixieai.testing.model_server import ModelServer, Reply, Says

_SECONDS = 60
_CLIENTS = 6


class _Replica:
    """One place for a platform process, which can be replaced."""

    def __init__(self, home: pathlib.Path, variables: dict[str, str]) -> None:
        self.home, self.port = home, free_port()
        self._variables = variables
        self._log = home.with_name(f"{home.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = platform_programs.start(self.home, self.port, self._log, self._variables)

    def stop(self) -> int:
        self.signal()
        return self.wait()

    def signal(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(_SECONDS)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_SECONDS)

    def log(self) -> str:
        return self._log.read_text("utf-8")


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """Answers within half a second, but for whoever asks to wait for the first time."""
    waiting = iter([Says("A: this takes far too long to wait for it", seconds_per_word=5)])

    def reply(body: dict[str, Any]) -> Reply:
        said = Says("A: one two three", seconds_per_word=0.1)
        return next(waiting, said) if "Wait" in json.dumps(body["messages"][-1:]) else said

    with ModelServer(reply) as running:
        yield running


@pytest.fixture
def replicas(
    tmp_path: pathlib.Path, postgres_url: str, model: ModelServer
) -> Iterator[tuple[_Replica, _Replica]]:
    variables = {
        "FIXIE_DATABASE_URL": postgres_url,
        "FIXIE_SECRET_KEY": base64.b64encode(os.urandom(32)).decode(),
        "FIXIE_BLOBS_URL": (tmp_path / "blobs").as_uri(),
        "FIXIE_DRAIN_SECONDS": "5",
        "FIXIE_DAILY_QUERIES": "0",
        "FIXIE_LLM_BASE_URL": model.base_url,
        "FIXIE_DEFAULT_MODEL": "custom/scripted",
        "FIXIE_LLM_RENDERING": "text",
    }
    both = _Replica(tmp_path / "one", variables), _Replica(tmp_path / "two", variables)
    try:
        yield both
    finally:
        for replica in both:
            replica.close()


class _Load:
    """Clients that ask one thing after the other, and keep what was not as it should be."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key
        self._is_over = threading.Event()
        self.answers = 0
        self.problems: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(_CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(_SECONDS)

    def _ask(self) -> None:
        with requests.Session() as http:
            http.headers["Authorization"] = f"Bearer {self._key}"
            while not self._is_over.is_set():
                self._try(lambda: self._query(http))

    def _try(self, request: Callable[[], None]) -> None:
        try:
            request()
            self.answers += 1
        except (requests.RequestException, AssertionError, KeyError, ValueError) as error:
            self.problems.append(repr(error))

    def _query(self, http: requests.Session) -> None:
        """A session, a query in it, and its messages: each at whichever replica."""
        made = http.post(f"{self._url}/api/sessions", json={"frontendAgentId": "count"}, timeout=_SECONDS)
        assert made.status_code == 201, made.text
        session = made.json()["handle"]
        body = {"session": session, "message": {"text": "Count"}}
        asked = http.post(f"{self._url}/api/agents/count", json=body, timeout=_SECONDS)
        assert asked.status_code == 200, asked.text
        found = http.get(f"{self._url}/api/sessions/{session}/messages", timeout=_SECONDS).json()
        assert [message["text"] for message in found["messages"]] == ["Count", "one two three"], found


def _wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def _up(replicas: tuple[_Replica, _Replica], balancer: Any, stack: contextlib.ExitStack) -> str:
    """Starts both, and serves an agent; an API key."""
    for replica in replicas:
        replica.start()
    for replica in replicas:
        balancer.ready.wait_for(replica.port)
    key = (replicas[0].home / credentials.LOCAL_KEY_FILE).read_text("ascii").strip()
    agent = fixieai.CodeShotAgent("I count.", "Q: Count\nA: one two three")
    testing.Platform(balancer.url, key, stack).serve(agent, "count")
    return key


@pytest.mark.timeout(180)
def test_a_rolling_restart_under_load_fails_no_request(replicas, balance) -> None:
    balancer = balance([replica.port for replica in replicas])
    with contextlib.ExitStack() as stack:
        key = _up(replicas, balancer, stack)
        load = stack.enter_context(_Load(balancer.url, key))
        _wait_until(lambda: all(balancer.served[replica.port] for replica in replicas))
        served = balancer.served.copy()
        for replica in replicas:
            assert replica.stop() == 0, replica.log()
            replica.start()
            balancer.ready.wait_for(replica.port)
            time.sleep(1)
        _wait_until(lambda: load.answers > 20)
        load.__exit__()

    assert not load.problems
    assert not balancer.failures
    # Whoever was at the second one while it drained came to the first, which was new.
    assert balancer.served[replicas[0].port] > served[replicas[0].port]
    for replica in replicas:
        assert "Traceback" not in replica.log()


def test_a_query_that_outlasts_its_replica_is_told_so_and_goes_on_at_the_other(
    replicas, model: ModelServer, one_balancer
) -> None:
    ending, other = replicas
    with contextlib.ExitStack() as stack:
        key = _up(replicas, one_balancer, stack)
        http = stack.enter_context(requests.Session())
        http.headers["Authorization"] = f"Bearer {key}"
        urls = [f"http://127.0.0.1:{replica.port}/api" for replica in (ending, other)]
        made = http.post(f"{urls[0]}/sessions", json={"frontendAgentId": "count"}, timeout=_SECONDS)
        session = made.json()["handle"]
        body = {"session": session, "message": {"text": "Wait"}}

        def end() -> None:
            _wait_until(lambda: bool(model.requests))
            ending.signal()

        threading.Thread(target=end).start()

        asked = http.post(f"{urls[0]}/agents/count", json=body, timeout=_SECONDS)

        assert (asked.status_code, asked.json()["error"]["code"]) == (503, "interrupted"), asked.text
        assert asked.headers["Retry-After"] == "2"
        assert ending.wait() == 0
        path = f"{urls[1]}/sessions/{session}/messages"
        _wait_until(lambda: len(http.get(path, timeout=_SECONDS).json()["messages"]) > 1)
        messages = http.get(path, timeout=_SECONDS).json()["messages"]
    assert [message["text"] for message in messages] == ["Wait", "one two three"]
    keys = [request.headers["idempotency-key"] for request in model.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]
