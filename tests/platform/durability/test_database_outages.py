"""Postgres stops under load and starts again: nothing acknowledged is lost, and work goes on by itself."""

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
import requests
from durable_platforms import Process, Reached
from scripted_world import EFFECTS, lines

from fixieai.platform import serving, settings
from fixieai.storage import postgres_lane

# How long the database is away. At 30 and more some are refused: as long as that they wait.
_OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "10"))
_SECONDS = 120
_CLIENTS = 8


@dataclass
class Client:
    """Asks one question after the other, each in a session of its own that it made before."""

    first_number: int
    process: Process
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    refusals: list[requests.Response] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)

    def run(self, ended: threading.Event) -> None:
        number = self.first_number
        while not ended.is_set():
            number += 1
            made = self._timed("POST", "/api/sessions", {"frontendAgentId": "go"})
            if made is None:
                continue
            handle = made["handle"]
            self.sessions.append(handle)
            body = {"session": handle, "message": {"text": f"Go {number}"}}
            if self._timed("POST", "/api/agents/go", body) is not None:
                self.answered[handle] = number

    def _timed(self, method: str, path: str, body: object) -> dict[str, str] | None:
        began = time.monotonic()
        response = self.process.call(method, path, body)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.statuses[response.status_code] += 1
        if not response.ok:
            self.refusals.append(response)
            time.sleep(0.2)
            return None
        found: dict[str, str] = response.json()
        return found


@pytest.mark.timeout(3 * _SECONDS + 2 * _OUTAGE_SECONDS)
def test_nothing_acknowledged_is_lost_when_the_database_is_away(
    world, shared, tmp_path, postgres_server
) -> None:
    variables = {**shared, "FIXIE_LEASE_SECONDS": "10"}
    processes = [world.platform(tmp_path / name, **variables) for name in ("one", "two")]
    world.register(processes[0], "go")
    clients = [Client(10_000 * n, processes[n % 2]) for n in range(_CLIENTS)]
    ended = threading.Event()
    threads = [threading.Thread(target=client.run, args=(ended,)) for client in clients]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    while (before := _answered(clients)) < _CLIENTS:
        assert time.monotonic() - began < _SECONDS
        time.sleep(0.1)
    postgres_server.stop()
    time.sleep(_OUTAGE_SECONDS)
    postgres_server.start()
    back = time.monotonic()
    while _answered(clients) < 2 * before + _CLIENTS:
        assert time.monotonic() - back < _SECONDS
        time.sleep(0.1)
    ended.set()
    for thread in threads:
        thread.join()

    statuses = sum((client.statuses for client in clients), Counter[int]())
    print(
        f"away for {_OUTAGE_SECONDS:g} s: {dict(statuses)}, {max(c.slowest for c in clients):.1f} s at most"
    )
    stored = {session["handle"] for session in _sessions(processes[0])}
    for client in clients:
        _check(client, stored, processes[0])
    for calls in list(world.calls.keys.values()):
        assert all(len(set(keys)) == 1 for keys in calls.values()), calls
    for process in processes:
        assert "was taken for dead" not in process.log(), process.log()
        assert "Traceback" not in process.log(), process.log()


def _answered(clients: list[Client]) -> int:
    return sum(len(client.answered) for client in clients)


def _check(client: Client, stored: set[str], platform: Process) -> None:
    assert set(client.statuses) <= {200, 201, 503}
    for refusal in client.refusals:
        _check_refusal(refusal)
    assert stored.issuperset(client.sessions)
    for handle in client.sessions:
        # A question that is there has its answer, whatever its client was told.
        found = platform.messages(handle) and platform.answered(handle)
        number = client.answered.get(handle) or int(found[0].split()[-1] if found else 0)
        assert found == (lines("go", number) if number else [])


def _check_refusal(response: requests.Response) -> None:
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0, response.text
    assert response.json()["error"]["code"] in ("unavailable", "interrupted")


def test_a_query_that_cannot_be_stored_goes_on_by_itself(
    world, shared, postgres_server, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(postgres_lane, "_OUTAGE_SECONDS", 0.5)  # requests wait no longer
    chosen = settings.from_environment({**world.model, **shared}, tmp_path / "home", port=0)
    places = [(agent, effect) for agent in ("outer", "alone", "unasked") for effect in EFFECTS[agent]]
    with serving.background(chosen) as running:
        platform = Reached(tmp_path / "home", running.url)
        world.register(platform, *EFFECTS)
        sessions = [platform.session(agent) for agent, _ in places]
        asked = []
        for number, (agent, effect) in enumerate(places):
            world.calls.hold(number, effect)
            asked.append(platform.ask_later(agent, number, sessions[number]))
        world.calls.wait(len(places))
        postgres_server.stop()
        try:
            world.calls.let_go()
            refused = [later.wait() for later in asked]
            refused.append(platform.call("GET", "/api/sessions"))
        finally:
            postgres_server.start()

        for number, (agent, effect) in enumerate(places):
            assert platform.answered(sessions[number]) == lines(agent, number)
            assert world.calls.repeated(number) == [effect]
            assert all(len(set(keys)) == 1 for keys in world.calls.keys[number].values())
    for response in refused:
        assert response is not None
        _check_refusal(response)


def _sessions(process: Process) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    path = "/api/sessions?limit=100"
    while True:
        page = process.ok("GET", path)
        found += page["sessions"]
        if not page.get("next"):
            return found
        path = f"/api/sessions?limit=100&after={page['next']}"
