"""A platform in one file, made while it is in use; a home made of it again; and what a check finds."""

import asyncio
import base64
import contextlib
import hashlib
import io
import os
import pathlib
import random
import sqlite3
import stat
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
import requests
from postgres_server import PostgresServer, binaries
from small_disks import needs_root, small_disk

import fixieai
from fixieai import errors, testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import backups, checks, restoring, serving
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.settings import Settings

_SECRET = base64.b64encode(bytes(32)).decode("ascii")
_CONTENT = b"what was attached"
NewSettings = Callable[[str], Settings]


@pytest.fixture(params=["sqlite", "postgres"])
def new_settings(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewSettings]:
    """Makes the settings of a platform by its name: a home, and on Postgres an empty database."""
    with contextlib.ExitStack() as stack:

        def make(name: str) -> Settings:
            url = None
            if request.param == "postgres":
                server: PostgresServer = request.getfixturevalue("postgres_server")
                url = stack.enter_context(server.database(f"{name}-{uuid.uuid4().hex}"))
            return Settings(
                home=tmp_path / name,
                port=0,
                models=ModelSettings(default_model="few-shot"),
                postgres_url=url,
                secret_key=_SECRET,
            )

        monkeypatch.setenv("PATH", f"{binaries()}{os.pathsep}{os.environ['PATH']}")
        yield make


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[testing.Platform]:
    with contextlib.ExitStack() as stack:
        platform = stack.enter_context(serving.background(settings))
        key = (settings.home / "api_key").read_text("utf-8").strip()
        yield testing.Platform(platform.url, key, stack)


def ask(platform: testing.Platform, content: bytes) -> str:
    """The session in which something was asked and attached."""
    session = platform.call("POST", "/api/sessions")["handle"]
    uri = f"data:text/plain;base64,{base64.b64encode(content).decode()}"
    message = {"text": "moin", "embeds": {"file": {"content_type": "text/plain", "uri": uri}}}
    platform.call("POST", "/api/agents/shouter", {"session": session, "message": message})
    return str(session)


def serve(platform: testing.Platform) -> None:
    platform.serve(fixieai.StandaloneAgent(lambda query: query.text.upper()), "shouter")


def back_up(settings: Settings, target: pathlib.Path) -> backups.Summary:
    return asyncio.run(backups.back_up(settings, target))


def restore(settings: Settings, source: pathlib.Path) -> backups.Summary:
    return asyncio.run(restoring.restore(settings, source))


def findings(settings: Settings) -> list[str]:
    return asyncio.run(checks.check(settings)).findings


def change(settings: Settings, statement: str) -> None:
    """Changes the database behind the platform's back, as damage does."""
    if settings.postgres_url is not None:
        with psycopg.connect(settings.postgres_url) as connection:
            connection.execute(statement.encode())
    else:
        with contextlib.closing(sqlite3.connect(settings.home / "fixie.db")) as database, database:
            database.execute(statement)


def test_a_platform_comes_back_as_it_was(new_settings: NewSettings, tmp_path: pathlib.Path) -> None:
    before, after = new_settings("before"), new_settings("after")
    file = tmp_path / "fixie.backup"
    with running(before) as platform:
        serve(platform)
        session = ask(platform, _CONTENT)
        summary = back_up(before, file)
        assert findings(before) == []
        platform.call("POST", "/api/sessions")
    assert (summary.lost, summary.blobs["embeds"]) == ([], 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert restore(after, file).keys == summary.keys
    assert stat.S_IMODE(after.home.stat().st_mode) == 0o700
    assert findings(after) == []
    with running(after) as platform:  # with the API key of before
        assert [each["handle"] for each in platform.call("GET", "/api/sessions")["sessions"]] == [session]
        said = platform.call("GET", f"/api/sessions/{session}/messages")["messages"]
        assert [each["text"] for each in said] == ["moin", "MOIN"]
        (listed,) = platform.call("GET", f"/api/sessions/{session}/embeds")["embeds"]
        assert requests.get(listed["embed"]["url"], timeout=60).content == _CONTENT


def test_every_backup_of_a_busy_platform_is_whole(new_settings: NewSettings, tmp_path: pathlib.Path) -> None:
    """While sessions with attachments come and go, no backup refers to bytes that it does not hold."""
    before = new_settings("before")
    with running(before) as platform:
        serve(platform)
        is_over = threading.Event()

        def come_and_go(number: int) -> None:
            turn = 0
            while not is_over.is_set():
                session = ask(platform, f"{number}-{turn}".encode())
                platform.call("DELETE", f"/api/sessions/{session}")
                turn += 1

        threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            for number in range(4):
                summary = back_up(before, tmp_path / f"{number}.backup")
                assert summary.lost == []
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        for number in range(4):
            after = new_settings(f"after-{number}")
            restore(after, tmp_path / f"{number}.backup")
            assert findings(after) == []


def test_nothing_is_ever_replaced(new_settings: NewSettings, tmp_path: pathlib.Path) -> None:
    before, after = new_settings("before"), new_settings("after")
    with running(before):
        pass
    file = tmp_path / "fixie.backup"
    back_up(before, file)
    content = file.read_bytes()
    with pytest.raises(errors.Conflict, match="exists already"):
        back_up(before, file)
    assert file.read_bytes() == content
    (tmp_path / "after").mkdir()
    (tmp_path / "after" / "mine").touch()
    with pytest.raises(errors.Conflict, match="not empty"):
        restore(after, file)
    if before.postgres_url is not None:
        (tmp_path / "after" / "mine").unlink()
        used = Settings(home=after.home, postgres_url=before.postgres_url, secret_key=_SECRET)
        with pytest.raises(errors.Conflict, match="database of FIXIE_DATABASE_URL is not empty"):
            restore(used, file)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["after", "before", "fixie.backup"]


@pytest.fixture
def sqlite_backup_file(tmp_path: pathlib.Path) -> pathlib.Path:
    settings = Settings(home=tmp_path / "home", port=0, models=ModelSettings(default_model="few-shot"))
    with running(settings) as platform:
        serve(platform)
        ask(platform, _CONTENT)
    file = tmp_path / "fixie.backup"
    back_up(settings, file)
    return file


def refused(folder: pathlib.Path, content: bytes) -> str:
    """Why a file is not restored. Nothing is left of the try."""
    file = folder / "refused.backup"
    file.write_bytes(content)
    before = set(folder.rglob("*"))
    with pytest.raises(errors.ConfigurationError) as caught:
        restore(Settings(home=folder / "restored"), file)
    assert set(folder.rglob("*")) == before
    return caught.value.message


def test_a_file_that_is_cut_off_or_damaged_is_refused(
    sqlite_backup_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    content = sqlite_backup_file.read_bytes()
    with tarfile.open(sqlite_backup_file) as tar:
        members = tar.getmembers()
    for member in members:
        assert "backup" in refused(tmp_path, content[: member.offset]) or member is members[-1]
        assert "backup" in refused(tmp_path, content[: member.offset_data + member.size // 2])
        if member.size:
            broken = bytearray(content)
            broken[member.offset_data + random.Random(1).randrange(member.size)] ^= 0xFF
            refused(tmp_path, bytes(broken))
    refused(tmp_path, b"")
    refused(tmp_path, b"no tar at all" * 1000)


def _member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, len(content), "/etc/passwd"
    return member, content


@pytest.mark.parametrize(
    ("member", "content"),
    [
        _member("../outside"),
        _member("/tmp/outside"),
        _member("fixie.db"),
        _member("blobs/embeds/../../outside"),
        _member("signing_keys.json", tarfile.SYMTYPE),
        _member("signing_keys.json", tarfile.LNKTYPE),
        _member("blobs", tarfile.DIRTYPE),
        _member("blobs/embeds/ab/" + "c" * 62, content=b"not of that hash"),
        _member("manifest.json", content=b'{"format": 2}'),
        _member("manifest.json", content=b"[]"),
        _member("manifest.json", content=b"[" * 900_000),
        _member("manifest.json", content=b'{"format": 1, "files": {}, "blobs": {}}'),
    ],
    ids=lambda each: each.name if isinstance(each, tarfile.TarInfo) else "",
)
def test_a_file_of_somebody_else_writes_nowhere(
    tmp_path: pathlib.Path, member: tarfile.TarInfo, content: bytes
) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        tar.addfile(member, io.BytesIO(content))
    assert "backup" in refused(tmp_path, made.getvalue())


def test_a_file_does_not_claim_to_hold_more_than_it_does(tmp_path: pathlib.Path) -> None:
    """A sparse member of a few bytes may stand for any number of zeros, which would be read at once."""
    size = 1024 * 1024
    content_hash = hashlib.sha256(bytes(size)).hexdigest()
    member = tarfile.TarInfo(f"blobs/embeds/{content_hash[:2]}/{content_hash[2:]}")
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (size, 0)  # where nothing stands, and no more of it
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)

    assert "is not a backup" in refused(tmp_path, bytes(header) + bytes(10_240))


def test_missing_bytes_are_named_and_the_rest_is_kept(
    new_settings: NewSettings, tmp_path: pathlib.Path
) -> None:
    before = new_settings("before")
    with running(before) as platform:
        serve(platform)
        ask(platform, b"one")
        ask(platform, b"two")
        lost = hashlib.sha256(b"one").hexdigest()
        (before.home / "blobs" / "embeds" / lost[:2] / lost[2:]).unlink()
        summary = back_up(before, tmp_path / "fixie.backup")
    assert summary.lost == [f"attachment {lost}"]
    assert summary.blobs["embeds"] == 1
    after = new_settings("after")
    restore(after, tmp_path / "fixie.backup")
    assert findings(after) == [f"attachment {lost}: its bytes are missing"]


def test_a_check_finds_what_is_wrong(new_settings: NewSettings) -> None:
    settings = new_settings("home")
    with running(settings) as platform:
        serve(platform)
        ask(platform, _CONTENT)
        ask(platform, b"other")
        assert findings(settings) == []

    blob = next((settings.home / "blobs" / "embeds").glob(f"{hashlib.sha256(b'other').hexdigest()[:2]}/*"))
    blob.write_bytes(b"0ther")
    sealed = SecretKey(bytes(31) + b"1").encrypt("OAuth values", "[]")
    for statement in (
        "UPDATE messages SET position = 7 WHERE type = 'response'",
        "DELETE FROM queries WHERE id = (SELECT min(id) FROM queries)",
        "INSERT INTO queries (id, session_id, status, created) VALUES (7, 8, 'answered', '')",
        "UPDATE agents SET current_revision_id = 9",
        "INSERT INTO user_storage_usage SELECT id, 'local/shouter', 1, 1 FROM users",
        f"INSERT INTO oauth_values SELECT id, 'local/shouter', '_oauth', '{sealed}' FROM users",
    ):
        change(settings, statement)
    found = "\n".join(findings(settings))
    for part in (
        "2 messages have the positions 1 to 7",
        "query 7 of session 8 has no message",
        "belongs to no query",
        "agent local/shouter: its current revision is missing",
        "what local/shouter keeps for local is miscounted",
        "the secret key is not the one",
        "its bytes are damaged",
    ):
        assert part in found


def test_a_damaged_database_is_found(tmp_path: pathlib.Path) -> None:
    settings = Settings(home=tmp_path, port=0, models=ModelSettings(default_model="few-shot"))
    with running(settings):
        pass
    (tmp_path / "signing_keys.json").rename(tmp_path / "elsewhere")
    assert "signing_keys.json is missing" in findings(settings)[0]
    content = bytearray((tmp_path / "fixie.db").read_bytes())
    content[4096:5120] = b"\xff" * 1024
    (tmp_path / "fixie.db").write_bytes(content)
    report = asyncio.run(checks.check(settings))
    assert report.findings
    assert "damaged" in report.notes[0]


@needs_root
@pytest.mark.parametrize("size", ["40k", "400k"])
def test_a_full_disk_is_told_and_nothing_is_left_there(tmp_path: pathlib.Path, size: str) -> None:
    """Where there is no room for the copy of the database, or for what follows it."""
    settings = Settings(home=tmp_path / "home", port=0, models=ModelSettings(default_model="few-shot"))
    with running(settings) as platform:
        serve(platform)
        ask(platform, b"x" * 300_000)
        disk = tmp_path / "disk"
        with small_disk(disk, f"size={size}"):
            with pytest.raises(errors.StorageFull, match=str(disk)):
                back_up(settings, disk / "fixie.backup")
            assert list(disk.iterdir()) == []
            platform.call("GET", "/api/sessions")


def test_an_older_database_is_kept_before_it_is_brought_up_to_date(
    new_settings: NewSettings, tmp_path: pathlib.Path
) -> None:
    settings = new_settings("home")
    with running(settings) as platform:
        serve(platform)
        ask(platform, _CONTENT)
    is_postgres = settings.postgres_url is not None
    change(
        settings, "DELETE FROM schema_versions WHERE number > 6" if is_postgres else "PRAGMA user_version = 6"
    )
    with pytest.raises(errors.ConfigurationError, match=r"has schema 6, .*`fixie platform migrate`"):
        findings(settings)
    summary = back_up(settings, tmp_path / "fixie.backup")
    assert (summary.schema, summary.blobs["embeds"]) == (6, 1)


def test_without_the_programs_of_postgres_the_message_says_what_to_install(
    postgres_url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings(home=tmp_path / "home", postgres_url=postgres_url, secret_key=_SECRET)
    with pytest.raises(errors.ConfigurationError, match=r"pg_dump is missing\. Install"):
        back_up(settings, tmp_path / "fixie.backup")
    assert list(tmp_path.iterdir()) == []


def test_what_the_programs_of_postgres_say_is_passed_on_without_the_password(
    postgres_url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\necho "$@" $PGPASSWORD > {said}\necho "no room" >&2\nexit 1\n', "utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    url = postgres_url.replace("fixie@", "fixie:geheim@")
    settings = Settings(home=tmp_path / "home", postgres_url=url, secret_key=_SECRET)
    with pytest.raises(errors.ConfigurationError, match=r"^pg_dump failed: no room$"):
        back_up(settings, tmp_path / "fixie.backup")
    *arguments, password = said.read_text("utf-8").split()
    assert password == "geheim"
    assert "geheim" not in "".join(arguments)


def test_where_there_is_no_platform_nothing_is_made(tmp_path: pathlib.Path) -> None:
    settings = Settings(home=tmp_path / "absent")
    with pytest.raises(errors.ConfigurationError, match="There is no database"):
        back_up(settings, tmp_path / "fixie.backup")
    with pytest.raises(errors.ConfigurationError, match="There is no database"):
        findings(settings)
    assert list(tmp_path.iterdir()) == []
