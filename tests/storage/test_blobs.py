"""Blobs, the same in a folder and in a bucket: content-addressed, whole or not there."""

import hashlib
import os
import pathlib
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from free_ports import free_port

from fixieai import errors
from fixieai.storage.blobs import Blobs, open_blobs

NO_BYTES = hashlib.sha256(b"").hexdigest()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A server that speaks S3, with the bucket `stored`."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _make_bucket(url)
            yield url
        finally:
            process.terminate()


def _make_bucket(url: str) -> None:
    for _ in range(600):
        try:
            request = urllib.request.Request(f"{url}/stored", method="PUT")
            urllib.request.urlopen(request, timeout=60).close()
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the S3 server did not start")


def bucket(url: str, prefix: str) -> Blobs:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": url}
    return open_blobs(pathlib.Path("/nowhere"), {"FIXIE_BLOBS_URL": f"s3://stored/{prefix}", **keys})


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Blobs:
    if request.param == "bucket":
        return bucket(request.getfixturevalue("s3_url"), tmp_path.name)
    return open_blobs(tmp_path / "blobs", {})


@pytest.mark.parametrize(
    "content", [b"", b"hello", bytes(range(256)) * 4096 * 7], ids=["none", "few", "many"]
)
async def test_what_was_put_comes_back_under_its_hash(blobs: Blobs, content: bytes) -> None:
    content_hash = await blobs.put(content)
    assert content_hash == hashlib.sha256(content).hexdigest()
    assert await blobs.exists(content_hash)
    assert await blobs.get(content_hash) == content
    assert b"".join([piece async for piece in blobs.stream(content_hash)]) == content
    assert await blobs.put(content) == content_hash


async def test_a_file_is_stored_as_a_copy(blobs: Blobs, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "package"
    file.write_bytes(b"x" * 3_000_000)
    content_hash = await blobs.put(file)
    file.write_bytes(b"changed")
    assert await blobs.get(content_hash) == b"x" * 3_000_000


async def test_what_was_deleted_is_not_there_and_may_be_deleted_again(blobs: Blobs) -> None:
    content_hash = await blobs.put(b"gone soon")
    await blobs.delete(content_hash)
    await blobs.delete(content_hash)
    assert not await blobs.exists(content_hash)
    with pytest.raises(errors.NotFound):
        await blobs.get(content_hash)


async def test_what_one_area_deletes_another_keeps(blobs: Blobs) -> None:
    others = blobs.area("packages")
    content_hash = await blobs.put(b"the same")
    assert not await others.exists(content_hash)
    await others.put(b"the same")
    await blobs.delete(content_hash)
    assert await others.get(content_hash) == b"the same"


@pytest.mark.parametrize(
    "name", ["", "..", "../" * 21 + "x", NO_BYTES.upper(), NO_BYTES + "\n", NO_BYTES[:-1]]
)
async def test_only_hashes_lead_anywhere(blobs: Blobs, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        await blobs.exists(name)


async def test_files_are_for_this_user_alone_and_leftovers_go(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "blobs"
    content_hash = await open_blobs(folder, {}).put(b"private")
    file = folder / "embeds" / content_hash[:2] / content_hash[2:]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    left, another = folder / ".unfinished-1", folder / ".unfinished-2"
    for each in (left, another):
        each.write_bytes(b"half")
    os.utime(left, (0, 0))
    open_blobs(folder, {})  # another process may be writing the newer one
    assert {each.name for each in folder.iterdir()} == {"embeds", another.name}


async def test_a_folder_that_others_share_is_named_by_its_url(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "shared folder"
    content_hash = await open_blobs(folder, {}).put(b"private")
    elsewhere = open_blobs(tmp_path / "home", {"FIXIE_BLOBS_URL": folder.as_uri()})
    assert await elsewhere.get(content_hash) == b"private"
    with pytest.raises(errors.ConfigurationError, match="FIXIE_BLOBS_URL"):
        open_blobs(folder, {"FIXIE_BLOBS_URL": "file://host/folder"})


async def test_a_damaged_file_is_not_handed_out(tmp_path: pathlib.Path) -> None:
    blobs = open_blobs(tmp_path, {})
    content_hash = await blobs.put(b"private")
    (tmp_path / "embeds" / content_hash[:2] / content_hash[2:]).write_bytes(b"Private")
    with pytest.raises(errors.ServiceUnavailable, match="damaged"):
        await blobs.get(content_hash)


async def test_a_place_that_cannot_be_written_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "blobs").write_text("a file, not a folder")
    with pytest.raises(errors.ConfigurationError, match="blobs"):
        await open_blobs(tmp_path / "blobs", {}).put(b"content")


async def test_a_bucket_that_is_not_there_is_named(s3_url: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    absent = open_blobs(
        pathlib.Path("/nowhere"), {"FIXIE_BLOBS_URL": "s3://absent", "AWS_ENDPOINT_URL": s3_url, **keys}
    )
    with pytest.raises(errors.ConfigurationError, match="absent"):
        await absent.put(b"content")


@pytest.mark.parametrize("url", ["file://host/tmp", "s3://", "s3://key:secret@bucket", "s3://bucket?x=1"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="s3://bucket/prefix"):
        open_blobs(pathlib.Path("/nowhere"), {"FIXIE_BLOBS_URL": url})


async def test_everything_in_an_area_is_listed(blobs: Blobs) -> None:
    began = time.time()
    stored = {await blobs.put(f"{number}".encode() * 7): 7 for number in range(9)}
    await blobs.area("packages").put(b"elsewhere")
    listed = [each async for each in blobs.listing()]
    assert {each.content_hash: each.size for each in listed} == stored
    assert len(listed) == len(stored)
    assert all(abs(each.modified - began) < 60 for each in listed)
    assert [each async for each in blobs.area("absent").listing()] == []


async def test_what_is_no_blob_is_not_listed(tmp_path: pathlib.Path) -> None:
    blobs = open_blobs(tmp_path, {})
    content_hash = await blobs.put(b"listed")
    (tmp_path / "embeds" / "ab").mkdir()
    for name in ("embeds/file", "embeds/ab/short", f"embeds/ab/{'Z' * 62}"):
        (tmp_path / name).write_bytes(b"not listed")
    assert [each.content_hash async for each in blobs.listing()] == [content_hash]
