"""How soon the beginning of an answer is seen: through the platform, against straight from the model."""

import contextlib
import http.client
import json
import pathlib
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator

from benchmarks import system
from benchmarks.measuring import medians
from benchmarks.processes import Child
from benchmarks.servers import postgres
from benchmarks.system import System
from benchmarks.table import Row

_PROMPT = {
    "model": "scripted",
    "messages": [{"role": "user", "content": system.QUESTION}],
    "stream": True,
}
_NOTE = "The question is on disk before the model is asked; the model itself waits for nothing."
_OTHER_NOTE = "Of two platforms on one Postgres; the floor is watching at the one that answers."


def measure(quick: bool) -> list[Row]:
    calls = 10 if quick else 200
    with contextlib.ExitStack() as stack:
        model_url = stack.enter_context(Child("-m", "benchmarks.servers.model")).address()
        running = stack.enter_context(system.running(system.scripted(model_url), "chat"))
        measures = {
            "model": _timed(lambda: _straight(model_url)),
            "asking": _timed(lambda: _asking(running)),
            "watching": _timed(lambda: _watching(running, running.url, running.key)),
        }
        if postgres.is_installed():
            measures |= _two_platforms(stack, model_url)
        found = {name: 1e3 * seconds for name, seconds in medians(measures, calls).items()}
    return [
        _row("first token, asking for a stream, p50", found, "asking", "model", _NOTE),
        _row("first token, watching the session, p50", found, "watching", "model"),
        _row("first token, watching at another platform, p50", found, "elsewhere", "same", _OTHER_NOTE),
    ]


def _row(what: str, found: dict[str, float], ours: str, floor: str, note: str = "") -> Row:
    return Row(what, "ms", ours=found.get(ours), floor=found.get(floor), note=note)


def _two_platforms(stack: contextlib.ExitStack, model_url: str) -> dict[str, Callable[[], float]]:
    """Watching where the query runs, and at the other."""
    variables = system.scripted(model_url) | stack.enter_context(postgres.serving())
    running = stack.enter_context(system.running(variables, "chat"))
    home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fixie-benchmark-")))
    url = stack.enter_context(system.serve_platform(home, variables)).address()
    key = (home / "api_key").read_text("ascii").strip()
    return {
        "same": _timed(lambda: _watching(running, running.url, running.key)),
        "elsewhere": _timed(lambda: _watching(running, url, key)),
    }


def _timed(first_token: Callable[[], float]) -> Callable[[], float]:
    for _ in range(5):
        first_token()
    return first_token


def _straight(model_url: str) -> float:
    return _first_line(model_url, "/v1/chat/completions", _PROMPT, None, b'"content": "')


def _asking(running: System) -> float:
    body = {"session": _session(running), "message": {"text": system.QUESTION}, "stream": True}
    return _first_line(running.url, f"/api/agents/{running.agent_id}", body, running.key, b'"text": "')


def _first_line(url: str, path: str, body: object, key: str | None, text: bytes) -> float:
    """Seconds until the first line that holds the text; the rest is read, too."""
    with _connected(url) as connection:
        start = time.perf_counter()
        connection.request("POST", path, json.dumps(body), _headers(key))
        response = connection.getresponse()
        while text not in (line := response.readline()):
            _check(line)
        taken = time.perf_counter() - start
        response.read()
    return taken


def _watching(running: System, url: str, key: str) -> float:
    """Seconds until the answer begins in the events of its session, at the platform of that URL."""
    session = _session(running)
    body = {"session": session, "message": {"text": system.QUESTION}}
    with _connected(url) as watching, _connected(running.url) as asking:
        watching.request("GET", f"/api/sessions/{session}/events", headers=_headers(key))
        events = watching.getresponse()
        _check(events.readline())
        start = time.perf_counter()
        asking.request("POST", f"/api/agents/{running.agent_id}", json.dumps(body), _headers(running.key))
        while b'"type": "response"' not in (line := events.readline()):
            _check(line)
        taken = time.perf_counter() - start
        asking.getresponse().read()
    return taken


def _check(line: bytes) -> None:
    if not line:
        raise RuntimeError("the stream ended without an answer")


def _session(running: System) -> str:
    handle: str = running.person.call("POST", "/api/sessions")["handle"]
    return handle


@contextlib.contextmanager
def _connected(url: str) -> Iterator[http.client.HTTPConnection]:
    """Connected already, as a client that asks more than once is."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    connection.connect()
    with contextlib.closing(connection):
        yield connection


def _headers(key: str | None) -> dict[str, str]:
    return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
