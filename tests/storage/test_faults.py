"""Disks and files that fail. Each refusal names the file and says what to do."""
# ruff: noqa: ASYNC221, ASYNC240 - small files, and nobody else waits for this event loop

import asyncio
import contextlib
import os
import pathlib
import sqlite3
import subprocess

import pytest
from small_disks import mounted, needs_root, small_disk

from fixieai import errors
from fixieai.storage import sqlite_connection, user_storage, users
from fixieai.storage.database import connect, sqlite_url

_ALL_KEYS = ("", "\U0010ffff")


async def _with_values(file: pathlib.Path, count: int, length: int = 500) -> int:
    database = await connect(sqlite_url(file))
    owner_id = (await database.write(users.ensure, "ann")).id
    await asyncio.gather(
        *(database.write(user_storage.put, owner_id, "ann/dice", str(n), "v" * length) for n in range(count))
    )
    await database.close()
    return owner_id


@needs_root
async def test_a_full_disk_refuses_what_does_not_fit_and_loses_nothing(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "disk"
    with small_disk(home, "size=3m"):
        database = await connect(sqlite_url(home / "fixie.db"))
        owner_id = (await database.write(users.ensure, "ann")).id

        async def put(key: str, length: int) -> str:
            try:
                await database.write(user_storage.put, owner_id, "ann/dice", key, "v" * length)
            except errors.StorageFull as error:
                return "full" if str(home / "fixie.db") in error.message else error.message
            return "stored"

        # The large ones share a group with small ones, and must not take them along.
        outcomes = await asyncio.gather(*(put(str(n), 4_000_000 if n % 5 == 4 else 100) for n in range(50)))
        assert outcomes == [("full" if n % 5 == 4 else "stored") for n in range(50)]
        stored = await database.read(user_storage.between, owner_id, "ann/dice", *_ALL_KEYS)
        assert {item.key for item in stored} == {str(n) for n in range(50) if n % 5 != 4}

        while await put("filler", 1) == "stored" and await put(os.urandom(8).hex(), 50_000) == "stored":
            pass
        keys = {
            item.key for item in await database.read(user_storage.between, owner_id, "ann/dice", *_ALL_KEYS)
        }
        await database.close()
        database = await connect(sqlite_url(home / "fixie.db"))
        again = await database.read(user_storage.between, owner_id, "ann/dice", *_ALL_KEYS)
        assert {item.key for item in again} == keys
        await database.close()


@needs_root
async def test_after_room_was_made_writing_goes_on(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "disk"
    with small_disk(home, "size=2m"):
        database = await connect(sqlite_url(home / "fixie.db"))
        owner_id = (await database.write(users.ensure, "ann")).id
        with contextlib.suppress(OSError):
            (home / "ballast").write_bytes(b"x" * 4_000_000)
        with pytest.raises(errors.StorageFull, match="Free some space"):
            await database.write(user_storage.put, owner_id, "ann/dice", "key", "v" * 100_000)
        (home / "ballast").unlink()
        await database.write(user_storage.put, owner_id, "ann/dice", "key", "v" * 100_000)
        await database.close()


@needs_root
@pytest.mark.parametrize("existing", [True, False])
async def test_a_start_on_a_full_disk_says_so(tmp_path: pathlib.Path, existing: bool) -> None:
    home = tmp_path / "disk"
    with small_disk(home, "size=1m"):
        if existing:
            await _with_values(home / "fixie.db", 1)
        with contextlib.suppress(OSError):
            (home / "ballast").write_bytes(b"x" * 4_000_000)
        with pytest.raises(errors.StorageFull, match=r"disk/fixie\.db"):
            await connect(sqlite_url(home / "fixie.db"))


@needs_root  # whom only a read-only mount keeps from writing
@pytest.mark.parametrize("existing", [True, False])
async def test_a_read_only_folder_is_named(tmp_path: pathlib.Path, existing: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if existing:
        await _with_values(home / "fixie.db", 1)
    with mounted(home, "--bind", str(home)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(home)], check=True)
        with pytest.raises(errors.ConfigurationError, match=r"home/fixie\.db.*writable.*FIXIE_HOME"):
            await connect(sqlite_url(home / "fixie.db"))


async def test_a_folder_in_place_of_the_file_is_named(file: pathlib.Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(errors.ConfigurationError, match=r"fixie\.db"):
        await connect(sqlite_url(file))


async def test_a_file_in_place_of_the_folder_is_named(file: pathlib.Path) -> None:
    file.parent.touch()
    with pytest.raises(errors.ConfigurationError, match=r"fixie\.db"):
        await connect(sqlite_url(file))


async def test_a_damaged_page_is_found_at_the_start(file: pathlib.Path) -> None:
    await _with_values(file, 500)
    content = bytearray(file.read_bytes())
    content[100 * 1024 : 101 * 1024] = b"\xff" * 1024
    file.write_bytes(content)
    with pytest.raises(errors.ConfigurationError, match=r"fixie\.db is damaged.*backup"):
        await connect(sqlite_url(file))


async def test_no_damage_to_the_head_of_the_file_ends_in_anything_but_a_message(file: pathlib.Path) -> None:
    await _with_values(file, 1)
    whole = file.read_bytes()
    for begin in range(0, 112, 8):
        file.write_bytes(whole[:begin] + b"\xf5" * 8 + whole[begin + 8 :])
        try:
            await (await connect(sqlite_url(file))).close()
        except errors.ConfigurationError as error:
            assert str(file) in error.message  # noqa: PT017 - some bytes do not matter


async def test_a_page_that_is_damaged_later_is_reported_when_it_is_read(
    file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner_id = await _with_values(file, 500)
    content = bytearray(file.read_bytes())
    for page in range(100, len(content) // 1024):
        content[page * 1024 : (page + 1) * 1024] = b"\xff" * 1024
    file.write_bytes(content)
    monkeypatch.setattr(sqlite_connection, "CHECKED_BYTES", 0)
    database = await connect(sqlite_url(file))
    with pytest.raises(errors.ConfigurationError, match=r"fixie\.db is damaged"):
        await database.read(user_storage.between, owner_id, "ann/dice", *_ALL_KEYS)
    assert (await database.read(users.by_username, "ann")) is not None
    await database.close()


@pytest.mark.parametrize("content", [b"not a database at all, just some text" * 100, b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_left_alone(file: pathlib.Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(errors.ConfigurationError, match="is not a database"):
        await connect(sqlite_url(file))
    assert file.read_bytes() == content


async def test_the_database_of_another_program_is_left_alone(file: pathlib.Path) -> None:
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE users (id)")
        other.commit()
    content = file.read_bytes()
    with pytest.raises(errors.ConfigurationError, match="another program"):
        await connect(sqlite_url(file))
    assert file.read_bytes() == content


async def test_a_program_that_keeps_the_file_locked_is_waited_for_then_reported(
    file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connection, "BUSY_SECONDS", 60)
    patient = await connect(sqlite_url(file))
    owner_id = (await patient.write(users.ensure, "ann")).id
    monkeypatch.setattr(sqlite_connection, "BUSY_SECONDS", 0.5)
    database = await connect(sqlite_url(file))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(patient.write(user_storage.put, owner_id, "ann/dice", "a", "1"))
        await asyncio.sleep(0.2)
        other.execute("ROLLBACK")
        await waiting
        await patient.close()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.ServiceUnavailable, match=r"fixie\.db locked"):
            await database.write(user_storage.put, owner_id, "ann/dice", "b", "1")
        assert await database.read(user_storage.get, owner_id, "ann/dice", "a") == "1"
        other.execute("ROLLBACK")
    await database.write(user_storage.put, owner_id, "ann/dice", "b", "1")
    await database.close()
