"""Where the bytes of attachments are: also in a bucket, and also after the platform was killed."""

import asyncio
import base64
import contextlib
import hashlib
import pathlib
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import pytest
import requests
from free_ports import free_port

import fixieai
from fixieai import errors, testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.app import open_platform
from fixieai.platform.settings import DailyLimits, QueryLimits, Settings
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.storage import embeds
from fixieai.storage.blobs import open_blobs

CONTENT = b"kept elsewhere"
HASH = hashlib.sha256(CONTENT).hexdigest()


@contextlib.contextmanager
def platform_at(home: pathlib.Path, blobs: Mapping[str, str] | None = None) -> Iterator[testing.Platform]:
    models = ModelSettings(default_model="few-shot")
    with contextlib.ExitStack() as stack:
        running = serving.background(Settings(home=home, port=0, models=models, blobs=blobs or {}))
        stack.enter_context(running)
        yield testing.Platform(running.url, serving.local_key(home), stack)


def upload(platform: testing.Platform) -> tuple[str, str]:
    """The session, and the address of a file in it."""
    session = platform.call("POST", "/api/sessions")["handle"]
    answer = requests.post(
        f"{platform.url}/api/sessions/{session}/embeds?key=report",
        data=CONTENT,
        headers={"Authorization": f"Bearer {platform.api_key}", "Content-Type": "text/plain"},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    return session, answer.json()["embed"]["url"]


@pytest.fixture
def bucket() -> Iterator[dict[str, str]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            testing.wait_until_reachable(url, 60)
            requests.put(f"{url}/stored", timeout=60).raise_for_status()
            keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
            yield {"FIXIE_BLOBS_URL": "s3://stored/fixie", "AWS_ENDPOINT_URL": url, **keys}
        finally:
            server.kill()


def test_a_bucket_holds_what_the_home_would(tmp_path: pathlib.Path, bucket: dict[str, str]) -> None:
    stored = open_blobs(tmp_path / "unused", bucket)
    with platform_at(tmp_path, bucket) as platform:
        session, url = upload(platform)
        assert requests.get(url, timeout=60).content == CONTENT
        assert asyncio.run(stored.get(HASH)) == CONTENT
        platform.call("DELETE", f"/api/sessions/{session}")
        assert not asyncio.run(stored.exists(HASH))
    assert not (tmp_path / "blobs").exists()


def test_a_bucket_that_is_not_there_is_told_at_the_start(
    tmp_path: pathlib.Path, bucket: dict[str, str]
) -> None:
    wrong = bucket | {"FIXIE_BLOBS_URL": "s3://absent"}
    with (
        pytest.raises(errors.ConfigurationError, match="There is no bucket absent"),
        platform_at(tmp_path, wrong),
    ):
        pass


def test_a_bucket_that_does_not_answer_keeps_nobody_from_asking(
    tmp_path: pathlib.Path, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixieai.storage.blob_bucket._RETRY_SECONDS", 0.1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = bucket | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        with platform_at(tmp_path, away) as platform:
            assert platform.call("POST", "/api/sessions")["handle"]
            with pytest.raises(AssertionError, match="does not answer properly"):
                upload(platform)


def test_bytes_that_were_stored_for_nothing_go_at_the_next_start(tmp_path: pathlib.Path) -> None:
    """As if the platform had been killed between storing bytes and storing the message with them."""
    file = tmp_path / "blobs" / "embeds" / HASH[:2] / HASH[2:]
    with platform_at(tmp_path) as platform:
        upload(platform)
    with contextlib.closing(sqlite3.connect(tmp_path / "fixie.db")) as database, database:
        database.execute("DELETE FROM embeds")
        hold = (1, HASH, int(time.time()) + 60)
        database.execute("INSERT INTO content_holds (embed_id, content_hash, until) VALUES (?, ?, ?)", hold)
    with platform_at(tmp_path):
        assert file.exists()  # somebody may be about to use it
    with contextlib.closing(sqlite3.connect(tmp_path / "fixie.db")) as database, database:
        database.execute("UPDATE content_holds SET until = 0")
    with platform_at(tmp_path) as platform:
        assert not file.exists()
        _, url = upload(platform)
        assert requests.get(url, timeout=60).content == CONTENT


def test_bytes_of_a_question_that_was_refused_are_not_kept(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "blobs" / "embeds" / HASH[:2] / HASH[2:]
    models, limits = ModelSettings(default_model="few-shot"), DailyLimits(queries=1)
    settings = Settings(home=tmp_path, port=0, models=models, daily_limits=limits)
    uri = f"data:text/plain;base64,{base64.b64encode(CONTENT).decode()}"
    message = {"text": "Read #report", "embeds": {"report": {"content_type": "text/plain", "uri": uri}}}
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving.background(settings))
        platform = testing.Platform(running.url, serving.local_key(tmp_path), stack)
        platform.serve(fixieai.StandaloneAgent(lambda query: "seen"), "reader")
        session = platform.call("POST", "/api/agents/reader", {"message": message})["session"]
        platform.call("DELETE", f"/api/sessions/{session}")
        with pytest.raises(requests.HTTPError, match="429"):
            platform.call("POST", "/api/agents/reader", {"message": message})
        deadline = time.monotonic() + 60  # it is told before it is tidied up
        while file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not file.exists()


async def test_bytes_of_a_question_for_which_there_is_no_place_are_not_kept(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "blobs" / "embeds" / HASH[:2] / HASH[2:]
    uri = f"data:text/plain;base64,{base64.b64encode(CONTENT).decode()}"
    question = Message("Read #report", {"report": Embed("text/plain", uri)})
    limits = QueryLimits(waiting_per_session=-1)
    async with open_platform(Settings(home=tmp_path, limits=limits)) as platform:
        local = await platform.auth.authenticate(serving.local_key(tmp_path))
        session = await platform.sessions.create(local, None)
        with pytest.raises(errors.Conflict, match="wait"):
            await platform.sessions.ask(local, "None", session.handle, question)

        assert not file.exists()


def test_bytes_are_held_for_longer_than_their_question_waits_for_its_turn_and_is_answered() -> None:
    limits = QueryLimits()

    assert (limits.waiting_per_session + 1) * limits.query_seconds < embeds._HOLD_SECONDS
