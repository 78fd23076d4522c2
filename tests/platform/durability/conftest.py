"""A model, an agent and platforms as processes that are killed; every call of both is counted by its key."""

import contextlib
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from fixieai.platform import serving
from fixieai.testing.model_server import ModelServer, Reply, Says

_SHOTS = "Q: Go\nAsk Func[one]: a\nFunc[one] says: 1\nAsk Func[two]: b\nFunc[two] says: 2\nA: both"
_METADATA = {"type": "code_shot", "base_prompt": "I go.", "few_shots": [_SHOTS], "conversational": False}
# What the model says, by how many replies of funcs it is shown.
_COMPLETIONS = ("Ask Func[one]: a", "Ask Func[two]: b", "A: first and second")
EFFECTS = ("model 0", "func one", "model 1", "func two", "model 2")
ANSWER = "first and second"
_SECONDS = 30


@dataclass
class Calls:
    """What was called, by effect; `hold(effect)` makes the next call of it wait until it is let go."""

    keys: dict[str, list[str]] = field(default_factory=lambda: {effect: [] for effect in EFFECTS})
    _held: str = ""
    reached: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)

    def hold(self, effect: str) -> None:
        self._held = effect

    def let_go(self) -> None:
        self._go.set()

    def called(self, effect: str, key: str) -> None:
        self.keys[effect].append(key)
        if effect == self._held:
            self._held = ""
            self.reached.set()
            self._go.wait(_SECONDS)

    def counts(self) -> Counter[str]:
        return Counter({effect: len(keys) for effect, keys in self.keys.items()})


def _agent_handler(calls: Calls) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(json.dumps(_METADATA))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            name = self.path.strip("/")
            calls.called(f"func {name}", self.headers["Idempotency-Key"])
            said = {"one": "first", "two": "second"}[name]
            self._reply(json.dumps({"message": {"text": said}}))

        def _reply(self, text: str) -> None:
            with contextlib.suppress(OSError):  # whoever asked was killed
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


@dataclass
class World:
    """The model and the agent, which outlive the platforms that call them."""

    calls: Calls
    model_url: str
    agent_url: str
    variables: dict[str, str]
    processes: list["Process"] = field(default_factory=list)

    def platform(self, home: pathlib.Path, port: int = 0, **variables: str) -> "Process":
        """A platform in a process of its own, once it answers."""
        process = Process(home, port or _free_port(), {**self.variables, **variables})
        self.processes.append(process)
        return process


class Process:
    """A platform as a process of its own, in a home that outlives it."""

    def __init__(self, home: pathlib.Path, port: int, variables: dict[str, str]) -> None:
        self.home, self.port = home, port
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "fixieai.cli.main", "platform", "serve", "--home", str(home)]
        self._log = home.with_name(f"{home.name}-{port}-{time.monotonic_ns()}.log")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(port)], stdout=log, stderr=log, env={**os.environ, **variables}
            )
        self.wait()

    def wait(self) -> None:
        until = time.monotonic() + _SECONDS
        while True:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/healthz", timeout=2).ok:
                    return
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.02)

    def log(self) -> str:
        return self._log.read_text("utf-8")

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {key or serving.local_key(self.home)}"}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=_SECONDS)

    def ask_later(self, session: str, agent: str = "go") -> None:
        """Asks without waiting for the answer, which the session gets."""

        def ask() -> None:
            with contextlib.suppress(requests.RequestException):
                self.call("POST", f"/api/agents/{agent}", {"session": session, "message": {"text": "Go"}})

        threading.Thread(target=ask, daemon=True).start()

    def answer(self, session: str) -> str:
        """The answer of the session's first query, once it is there."""
        until = time.monotonic() + _SECONDS
        while True:
            messages = self.messages(session)
            answers = [message["text"] for message in messages if message["type"] == "response"]
            if answers:
                return str(answers[0])
            assert time.monotonic() < until, (messages, self.log())
            time.sleep(0.05)

    def messages(self, session: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"/api/sessions/{session}/messages").json()["messages"]
        return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _script(calls: Calls, requested: Callable[[], Any]) -> Callable[[dict[str, Any]], Reply]:
    def reply(body: dict[str, Any]) -> Reply:
        shown = json.dumps(body["messages"][-1:])
        step = ("says: first" in shown) + ("says: second" in shown)
        calls.called(f"model {step}", requested())
        return Says(_COMPLETIONS[step])

    return reply


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    calls = Calls()
    with contextlib.ExitStack() as stack:
        model: ModelServer
        script = _script(calls, lambda: model.requests[-1].headers["idempotency-key"])
        model = stack.enter_context(ModelServer(script))
        agent = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _agent_handler(calls))
        agent.daemon_threads = True
        stack.callback(agent.server_close)
        stack.callback(agent.shutdown)
        threading.Thread(target=agent.serve_forever, daemon=True).start()
        variables = {
            "FIXIE_LLM_BASE_URL": model.base_url,
            "FIXIE_DEFAULT_MODEL": "custom/scripted",
            "FIXIE_LLM_RENDERING": "text",
        }
        made = World(calls, model.base_url, f"http://127.0.0.1:{agent.server_address[1]}", variables)
        yield made
        calls.let_go()
        for process in made.processes:
            process.close()
