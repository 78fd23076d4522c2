"""Who follows a session has every message once, whichever replica dies: theirs, or the one that answers."""

import contextlib
import http.client
import json
import pathlib
import threading
import time
from typing import Any

import pytest
from scripted_world import lines

from fixieai.platform import serving

_SECONDS = 60


def numbered(number: int) -> list[tuple[int, str]]:
    return list(enumerate(lines("go", number), 1))


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


def _replicas(world: Any, folder: pathlib.Path, variables: dict[str, str]) -> list[Any]:
    started = [world.platform(folder / name, **variables) for name in ("one", "two")]
    world.register(started[0], "go")
    return started


@pytest.fixture
def replicas(world, tmp_path, shared) -> list[Any]:
    """Two on one database; the second finds out within seconds that the first is dead."""
    return _replicas(world, tmp_path, shared)


def kill_when_reached(world: Any, platform: Any, count: int = 1) -> None:
    world.calls.wait(count)
    platform.kill()
    world.calls.let_go()


def test_the_replica_that_answers_is_killed_and_followers_at_the_other_and_at_both_see_all(
    world, replicas
) -> None:
    one, two = replicas
    effects = ("go model 0", "go func one", "go model 1", "go model 2")
    sessions = [one.session("go") for _ in effects]
    elsewhere = [Follower([two], session) for session in sessions]
    at_both = [Follower([one, two], session) for session in sessions]
    for number, (session, effect) in enumerate(zip(sessions, effects, strict=True)):
        world.calls.hold(number, effect)
        one.ask_later("go", number, session)
    kill_when_reached(world, one, len(effects))

    for number in range(len(effects)):
        assert elsewhere[number].done() == at_both[number].done() == numbered(number)
        assert elsewhere[number].connections == 1
        assert at_both[number].connections > 1


def test_the_replica_that_is_followed_is_killed_while_a_query_waits_at_the_other(world, replicas) -> None:
    one, two = replicas
    session, asked = one.session("go"), one.session("go")
    follower = Follower([two, one], session)
    world.calls.hold(1, "go func two")
    one.ask_later("go", 1, session)
    world.calls.hold(2, "go func one")
    two.ask_later("go", 2, asked)
    world.calls.wait(2)
    one.ask_later("go", 3, asked)
    time.sleep(0.5)
    kill_when_reached(world, two, 0)

    assert follower.done() == numbered(1)
    assert follower.connections > 1
    until = time.monotonic() + _SECONDS
    while (texts := one.messages(asked))[-1] != lines("go", 3)[-1]:
        assert time.monotonic() < until, (texts, one.log())
        time.sleep(0.05)
    assert texts == lines("go", 2) + lines("go", 3)


def test_one_that_is_told_to_stop_leaves_its_queries_to_the_other_at_once(world, tmp_path, shared) -> None:
    one, two = _replicas(world, tmp_path, {**shared, "FIXIE_LEASE_SECONDS": "100"})
    session = one.session("go")
    follower = Follower([one, two], session)
    world.calls.hold(1, "go func one")
    one.ask_later("go", 1, session)
    world.calls.wait(1)
    one.stop()
    stopped = time.monotonic()

    assert one.process.returncode == 0, one.log()
    assert follower.done() == numbered(1)
    assert time.monotonic() - stopped < 50  # it is not found out by the end of the lease


def test_a_client_follows_a_query_over_a_restart_on_sqlite(world, tmp_path) -> None:
    first = world.platform(tmp_path / "home")
    world.register(first, "go")
    session = first.session("go")
    follower = Follower([first], session)
    world.calls.hold(1, "go model 1")
    first.ask_later("go", 1, session)
    kill_when_reached(world, first)
    world.platform(tmp_path / "home", port=first.port)

    assert follower.done() == numbered(1)
    assert follower.connections > 1
