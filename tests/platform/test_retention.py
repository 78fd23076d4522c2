"""What the platform removes in the course of time, on both engines, while it serves."""

import base64
import contextlib
import hashlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import KeptDays, Settings

_SECRET = base64.b64encode(bytes(32)).decode("ascii")
_ANCIENT = 1e-9
Open = Callable[..., contextlib.AbstractContextManager[testing.Platform]]


@pytest.fixture(params=["sqlite", "postgres"])
def open_platform(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Open:
    """Opens a platform whose home and database stay the same."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None

    @contextlib.contextmanager
    def opened(kept: KeptDays) -> Iterator[testing.Platform]:
        settings = Settings(
            home=tmp_path,
            port=0,
            models=ModelSettings(default_model="few-shot"),
            kept_days=kept,
            postgres_url=url,
            secret_key=_SECRET,
        )
        with contextlib.ExitStack() as stack:
            running = stack.enter_context(serving.background(settings))
            key = (tmp_path / "api_key").read_text("utf-8").strip()
            yield testing.Platform(running.url, key, stack)

    return opened


def collect(platform: testing.Platform, *, dry_run: bool) -> dict[str, tuple[int, int]]:
    """What went, or would: count and bytes, by what it is."""
    state = platform.call("POST", "/api/gc", {"dryRun": dry_run})
    until = time.monotonic() + 60
    while state["running"]:
        assert time.monotonic() < until
        time.sleep(0.02)
        state = platform.call("GET", "/api/gc")
    assert (state["problem"], state["dryRun"]) == (None, dry_run)
    return {each["what"]: (each["count"], each["bytes"]) for each in state["items"] if each["count"]}


def ask(platform: testing.Platform, text: str, content: bytes) -> str:
    """The session in which something was asked and attached."""
    session = platform.call("POST", "/api/sessions")["handle"]
    uri = f"data:text/plain;base64,{base64.b64encode(content).decode()}"
    message = {"text": text, "embeds": {"file": {"content_type": "text/plain", "uri": uri}}}
    platform.call("POST", "/api/agents/shouter", {"session": session, "message": message})
    return str(session)


def shouter() -> fixieai.StandaloneAgent:
    return fixieai.StandaloneAgent(lambda query: query.text.upper())


def handles(platform: testing.Platform) -> list[str]:
    return [each["handle"] for each in platform.call("GET", "/api/sessions")["sessions"]]


def blobs(home: pathlib.Path, area: str) -> set[str]:
    return {f"{file.parent.name}{file.name}" for file in (home / "blobs" / area).glob("*/*")}


def test_sessions_go_with_all_that_is_theirs(open_platform: Open, tmp_path: pathlib.Path) -> None:
    content = b"for one session alone"
    with open_platform(KeptDays(sessions=_ANCIENT)) as platform:
        platform.serve(shouter(), "shouter")
        session = ask(platform, "moin", content)
        hashed = hashlib.sha256(content).hexdigest()
        assert hashed in blobs(tmp_path, "embeds")

        would_go = collect(platform, dry_run=True)
        assert would_go == {"sessions": (1, 0), "messages": (2, 0), "attachments": (1, len(content))}
        assert handles(platform) == [session]
        went = collect(platform, dry_run=False)

        assert (went["sessions"], went["messages"]) == ((1, 0), (2, 0))
        assert handles(platform) == []
        assert hashed not in blobs(tmp_path, "embeds")
        assert collect(platform, dry_run=False) == {}


def test_what_people_made_stays_unless_a_setting_says_so(open_platform: Open) -> None:
    with open_platform(KeptDays()) as platform:
        platform.serve(shouter(), "shouter")
        sessions = {ask(platform, "moin", b"one"), ask(platform, "tach", b"two")}
        assert collect(platform, dry_run=False) == {}
        assert set(handles(platform)) == sessions


def test_messages_of_a_session_in_use_go_but_for_the_newest_query(open_platform: Open) -> None:
    with open_platform(KeptDays(messages=_ANCIENT)) as platform:
        platform.serve(shouter(), "shouter")
        session = ask(platform, "one", b"1")
        for text in ("two", "three"):
            platform.call("POST", "/api/agents/shouter", {"session": session, "message": {"text": text}})
        assert collect(platform, dry_run=True) == {"messages": (4, 0)}
        assert collect(platform, dry_run=False) == {"messages": (4, 0)}
        left = platform.call("GET", f"/api/sessions/{session}/messages")["messages"]
        assert [each["text"] for each in left] == ["three", "THREE"]
        platform.call("POST", "/api/agents/shouter", {"session": session, "message": {"text": "four"}})
        assert platform.call("GET", f"/api/sessions/{session}/messages")["messages"][-1]["text"] == "FOUR"


def test_bytes_without_an_owner_are_found_when_they_are_old(
    open_platform: Open, tmp_path: pathlib.Path
) -> None:
    """As a backup that was put back leaves them, or a platform that was killed."""
    hashes = {}
    for area, content, age in (
        ("embeds", b"old", 2 * 86_400),
        ("packages", b"old one", 2 * 86_400),
        ("embeds", b"new", 0),
        ("packages", b"new one", 0),
    ):
        hashed = hashlib.sha256(content).hexdigest()
        file = tmp_path / "blobs" / area / hashed[:2] / hashed[2:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (time.time() - age,) * 2)
        hashes[content] = hashed
    with open_platform(KeptDays()) as platform:
        expected = {"attachments": (1, 3), "packages": (1, 7)}
        assert collect(platform, dry_run=True) == expected
        assert collect(platform, dry_run=False) == expected
        until = time.monotonic() + 60
        while hashes[b"old one"] in blobs(tmp_path, "packages"):
            assert time.monotonic() < until
            time.sleep(0.02)
        assert hashes[b"old"] not in blobs(tmp_path, "embeds")
        assert hashes[b"new"] in blobs(tmp_path, "embeds")
        assert hashes[b"new one"] in blobs(tmp_path, "packages")


def test_logs_of_programs_that_said_nothing_for_long_go(open_platform: Open, tmp_path: pathlib.Path) -> None:
    with open_platform(KeptDays()) as platform:
        old, new = (tmp_path / "deployments" / "logs" / f"{number}.log" for number in (1, 2))
        for file in (old, new):
            file.write_text("said\n", "utf-8")
        os.utime(old, (time.time() - 31 * 86_400,) * 2)
        assert collect(platform, dry_run=True) == {}
        assert old.exists()
        collect(platform, dry_run=False)
        assert (old.exists(), new.exists()) == (False, True)


def test_only_administrators_may(platform: testing.Platform) -> None:
    platform.call("POST", "/api/users", {"username": "gc-bob"})
    key = platform.call("POST", "/api/users/gc-bob/keys", {"name": "key"})["key"]
    for method in ("GET", "POST"):
        answer: Any = requests.request(
            method, f"{platform.url}/api/gc", json={}, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        assert answer.status_code == 403
    wrong = requests.post(
        f"{platform.url}/api/gc",
        json={"dryRun": "yes"},
        headers={"Authorization": f"Bearer {platform.api_key}"},
        timeout=60,
    )
    assert wrong.status_code == 422
