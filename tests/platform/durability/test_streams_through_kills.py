"""Who follows a session has every message once, whichever replica dies: theirs, or the one that answers."""

import base64
import contextlib
import http.client
import json
import threading
import time
from typing import Any

import pytest

from fixieai.platform import serving

# Those between are alike.
_EFFECTS = ("model 0", "func one", "model 2")
_LINES = [
    (1, "Go"),
    (2, "Ask Func[one]: a"),
    (3, "Func[one] says: first"),
    (4, "Ask Func[two]: b"),
    (5, "Func[two] says: second"),
    (6, "first and second"),
]
_SECONDS = 30
_ANSWER = _LINES[-1][1]
_SECRET = base64.b64encode(bytes(32)).decode()


class Follower:
    """Reads a session's events like a browser: when the connection breaks it goes to the next platform."""

    def __init__(self, platforms: list[Any], session: str) -> None:
        self.seen: list[tuple[int, str]] = []
        self.connections = 0
        self._is_done = threading.Event()
        self._platforms = platforms
        self._session = session
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def done(self) -> list[tuple[int, str]]:
        """What was seen, once the answer was."""
        assert self._is_done.wait(_SECONDS), self.seen
        self._thread.join()
        return self.seen

    def _follow(self) -> None:
        while not self._is_done.is_set():
            platform = self._platforms[self.connections % len(self._platforms)]
            self.connections += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._read(platform)
            time.sleep(0.01)

    def _read(self, platform: Any) -> None:
        last = str(self.seen[-1][0]) if self.seen else "0"
        connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=_SECONDS)
        key = serving.local_key(platform.home)
        headers = {"Authorization": f"Bearer {key}", "Last-Event-ID": last}
        with contextlib.closing(connection):
            connection.request("GET", f"/api/sessions/{self._session}/events", headers=headers)
            event: dict[str, str] = {}
            for line in connection.getresponse():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif "id" in event:
                    self._see(event)
                    event = {}
                if self._is_done.is_set():
                    return

    def _see(self, event: dict[str, str]) -> None:
        self.seen.append((int(event["id"]), json.loads(event["data"])["text"]))
        if json.loads(event["data"])["type"] == "response":
            self._is_done.set()


@pytest.fixture
def replicas(world, tmp_path, postgres_url) -> list[Any]:
    """Two on one database; the second finds out within seconds that the first is dead."""
    variables = {
        "FIXIE_DATABASE_URL": postgres_url,
        "FIXIE_SECRET_KEY": _SECRET,
        "FIXIE_LEASE_SECONDS": "1",
    }
    started = [world.platform(tmp_path / name, **variables) for name in ("one", "two")]
    started[0].call("PUT", "/api/agents/local/go", {"url": world.agent_url})
    return started


def _session(platform: Any) -> str:
    handle: str = platform.call("POST", "/api/sessions", {"frontendAgentId": "go"}).json()["handle"]
    return handle


def _kill_when_reached(world: Any, platform: Any) -> None:
    assert world.calls.reached.wait(_SECONDS)
    platform.kill()
    world.calls.let_go()


@pytest.mark.parametrize("effect", _EFFECTS)
def test_the_replica_that_answers_is_killed_and_the_other_goes_on(world, replicas, effect: str) -> None:
    one, two = replicas
    session = _session(one)
    follower = Follower([two], session)
    world.calls.hold(effect)
    one.ask_later(session)
    _kill_when_reached(world, one)

    assert follower.done() == _LINES
    assert follower.connections == 1


def test_the_replica_that_is_followed_is_killed_and_the_client_goes_to_the_other(world, replicas) -> None:
    one, two = replicas
    session = _session(one)
    follower = Follower([two, one], session)
    world.calls.hold("func two")
    one.ask_later(session)
    _kill_when_reached(world, two)

    assert follower.done() == _LINES
    assert follower.connections > 1


def test_one_replica_both_answers_and_is_followed_and_is_killed(world, replicas) -> None:
    one, two = replicas
    session = _session(one)
    follower = Follower([one, two], session)
    world.calls.hold("model 1")
    one.ask_later(session)
    _kill_when_reached(world, one)

    assert follower.done() == _LINES


def test_a_query_that_waits_elsewhere_does_not_keep_the_one_before_from_being_finished(
    world, replicas
) -> None:
    one, two = replicas
    session = _session(one)
    world.calls.hold("func one")
    one.ask_later(session)
    assert world.calls.reached.wait(_SECONDS)
    two.ask_later(session)
    time.sleep(0.5)
    _kill_when_reached(world, one)

    until = time.monotonic() + _SECONDS
    while (texts := [message["text"] for message in two.messages(session)]).count(_ANSWER) < 2:
        assert time.monotonic() < until, (texts, two.log())
        time.sleep(0.05)
    assert texts == [text for _, text in _LINES] * 2


def test_a_client_follows_a_query_over_a_restart_on_sqlite(world, tmp_path) -> None:
    first = world.platform(tmp_path / "home")
    first.call("PUT", "/api/agents/local/go", {"url": world.agent_url})
    session = _session(first)
    follower = Follower([first], session)
    world.calls.hold("model 1")
    first.ask_later(session)
    _kill_when_reached(world, first)
    world.platform(tmp_path / "home", first.port)

    assert follower.done() == _LINES
    assert follower.connections > 1
