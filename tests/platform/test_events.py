"""Watching a session: server-sent events, numbered as its messages are."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.platform.endpoints import events


class Watcher:
    """Reads the events of a session, one at a time."""

    def __init__(self, platform: testing.Platform, session: str, **headers: str) -> None:
        self.response = requests.get(
            f"{platform.url}/api/sessions/{session}/events",
            headers={"Authorization": f"Bearer {platform.api_key}"} | headers,
            stream=True,
            timeout=60,
        )
        self._lines = self.response.iter_lines(chunk_size=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def events(self) -> Iterator[tuple[str, int | None, Any]]:
        """Kind, number and content of each; comments have the kind ":"."""
        event: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.decode().partition(": ")
            if line.startswith(b":"):
                yield ":", None, line.decode()
            elif line:
                event[name] = value
            elif "data" in event:
                number = int(event["id"]) if "id" in event else None
                yield event["event"], number, json.loads(event["data"])
                event = {}

    def until(self, text: str) -> list[tuple[str, int | None, str]]:
        seen = []
        for kind, number, content in self.events():
            if kind != ":":
                said = content["text"] if kind == "message" else content["message"]["text"]
                seen.append((kind, number, said))
                if kind == "message" and said == text:
                    return seen
        raise AssertionError(seen)


@pytest.fixture
def session(http) -> str:
    handle: str = http("POST", "/api/sessions", json={"frontendAgentId": "dice"}).json()["handle"]
    return handle


ANSWER = "You rolled a 6!"
TURN = [
    ("message", 1, "Roll a d6"),
    ("message", 2, "Ask Func[roll]: 6 1"),
    ("message", 3, "Func[roll] says: 6"),
    ("message", 4, ANSWER),
]


def messages(seen: list[tuple[str, int | None, str]]) -> list[tuple[str, int | None, str]]:
    return [event for event in seen if event[0] == "message"]


def test_messages_come_as_they_happen_numbered_by_their_position(platform, session: str) -> None:
    with Watcher(platform, session) as watcher:
        assert watcher.response.status_code == 200
        assert watcher.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert watcher.response.headers["Cache-Control"] == "no-store"
        threading.Thread(target=platform.ask, args=("dice", "Roll a d6", session)).start()

        assert messages(watcher.until(ANSWER)) == TURN


def test_a_watcher_who_comes_back_gets_what_was_missed_from_any_event_on(platform, session: str) -> None:
    platform.ask("dice", "Roll a d6", session)

    for last in range(4):
        with Watcher(platform, session, **{"Last-Event-ID": str(last)}) as watcher:
            assert messages(watcher.until(ANSWER)) == TURN[last:]


def test_more_messages_than_one_piece_come_in_order(platform, session: str, monkeypatch) -> None:
    monkeypatch.setattr(events, "_PIECE", 2)
    platform.ask("dice", "Roll a d6", session)
    with Watcher(platform, session) as watcher:
        assert messages(watcher.until(ANSWER)) == TURN


def test_an_answer_is_seen_as_it_is_written_without_a_number(platform, http) -> None:
    written = threading.Semaphore(0)

    def tell(query: fixieai.Message) -> Iterator[str]:
        for said in ("Once", "Once upon", "Once upon a time"):
            assert written.acquire(timeout=60)
            yield said

    platform.serve(fixieai.StandaloneAgent(tell), "narrator")
    session = http("POST", "/api/sessions", json={"frontendAgentId": "narrator"}).json()["handle"]
    with Watcher(platform, session) as watcher:
        threading.Thread(target=platform.ask, args=("narrator", "Tell", session)).start()
        seen = []
        for kind, number, content in watcher.events():
            seen.append((kind, number, content["text"] if kind == "message" else content["message"]["text"]))
            if seen[-1][1] == 2:
                break
            written.release()

    assert seen[0] == ("message", 1, "Tell")
    assert ("partial", None, "Once") in seen
    assert seen[-1] == ("message", 2, "Once upon a time")


def test_a_quiet_stream_is_kept_open_by_comments(platform, session: str, monkeypatch) -> None:
    monkeypatch.setattr(events, "_HEARTBEAT_SECONDS", 0.05)
    with Watcher(platform, session) as watcher:
        assert next(watcher.events())[0] == ":"


def test_the_stream_ends_with_its_session(platform, http, session: str, monkeypatch) -> None:
    monkeypatch.setattr(events, "_HEARTBEAT_SECONDS", 0.05)
    with Watcher(platform, session) as watcher:
        http("DELETE", f"/api/sessions/{session}")

        assert all(kind == ":" for kind, *_ in watcher.events())


def test_who_watches_with_a_key_that_was_revoked_sees_nothing_more_however_busy_the_session(
    platform, http, session: str
) -> None:
    made = http("POST", "/api/users/local/keys", json={"name": "watcher"}).json()
    with Watcher(platform, session, Authorization=f"Bearer {made['key']}") as watcher:
        assert next(iter(watcher._lines)) == b"retry: 1000"
        assert http("DELETE", f"/api/users/local/keys/{made['id']}").status_code == 204
        platform.ask("dice", "Roll a d6", session)

        assert list(watcher.events()) == []


def test_the_stream_ends_when_the_platform_stops(session: str) -> None:
    with testing.platform() as own:
        own_session = own.call("POST", "/api/sessions")["handle"]
        watcher = Watcher(own, own_session)
        assert next(iter(watcher._lines)) == b"retry: 1000"
        began = time.monotonic()

    assert list(watcher.events()) == []
    assert time.monotonic() - began < 9  # after ten the server would cut it off


def test_who_asks_for_the_head_alone_has_the_connection_back(platform, session: str) -> None:
    with requests.Session() as client:
        client.headers["Authorization"] = f"Bearer {platform.api_key}"
        head = client.head(f"{platform.url}/api/sessions/{session}/events", timeout=60)
        assert head.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert client.get(f"{platform.url}/healthz", timeout=60).ok
        assert (
            client.head(f"{platform.url}/api/sessions/no-such-session/events", timeout=60).status_code == 404
        )


def test_what_is_no_event_or_no_session_is_refused(http, session: str) -> None:
    def get(path: str, **headers: str) -> int:
        return http("GET", path, headers=headers).status_code

    assert get(f"/api/sessions/{session}/events", **{"Last-Event-ID": "x"}) == 422
    assert get(f"/api/sessions/{session}/events?after=-1") == 422
    assert get("/api/sessions/no-such-session/events") == 404


def test_one_person_watches_so_many_at_once_and_no_more(platform, http, session: str, monkeypatch) -> None:
    monkeypatch.setattr("fixieai.platform.feeds._WATCHERS_PER_PERSON", 2)
    with Watcher(platform, session), Watcher(platform, session):
        refused = http("GET", f"/api/sessions/{session}/events")

        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "too_many_requests"
    monkeypatch.setattr(events, "_HEARTBEAT_SECONDS", 0.05)
    for _ in range(100):
        with Watcher(platform, session) as watcher:
            if watcher.response.status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("those who left are still counted")
