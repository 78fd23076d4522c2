"""What an agent requires, as it is read and as it is kept apart."""

import asyncio
import dataclasses
import os
import pathlib
import time

import pytest

from fixieai import errors
from fixieai.platform.deployments import environments
from fixieai.platform.deployments.environments import Environments, Wanted
from fixieai.platform.deployments.processes import Command, ProcessLimits

pytestmark = pytest.mark.anyio


def wanted(tmp_path: pathlib.Path, agent_id: str = "local/dice", package_hash: str = "1") -> Wanted:
    (tmp_path / "code").mkdir(exist_ok=True)
    command = Command((), {}, tmp_path, tmp_path / "log", ProcessLimits())
    return Wanted(agent_id, package_hash, tmp_path / "code", command, 60)


@pytest.fixture
def made(tmp_path: pathlib.Path) -> Environments:
    (tmp_path / "environments").mkdir()
    return Environments(tmp_path / "environments")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\ufefffixieai\n", []),
        (
            "fixieai==1.0.4\nFixieAI[all]>=1 ; python_version > '3'\nfixieai @ git+https://e.com/x\nfixieai#x",
            [],
        ),
        ("git+https://example.com/fork.git#egg=fixieai", []),
        ("fixieai \\\n  --hash=sha256:00\nrequests\n", ["requests"]),
        ("# comment\n\n  numpy>=1  \r\nfixieai-tools==2", ["numpy>=1", "fixieai-tools==2"]),
        ("-r more.txt\n./wheels/a.whl", ["-r more.txt", "./wheels/a.whl"]),
    ],
)
def test_lines_that_name_fixieai_itself_are_left_out(tmp_path, text: str, lines: list[str]) -> None:
    (tmp_path / "requirements.txt").write_bytes(text.encode())

    assert environments.requirements(tmp_path / "requirements.txt") == lines


def test_requirements_that_are_not_utf_8_are_refused(tmp_path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"numpy # caf\xe9")

    with pytest.raises(errors.AgentUnavailable, match="not UTF-8"):
        environments.requirements(tmp_path / "requirements.txt")


def test_requirements_without_end_are_refused(tmp_path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"numpy\n" * 200_000)

    with pytest.raises(errors.AgentUnavailable, match="larger than"):
        environments.requirements(tmp_path / "requirements.txt")


async def test_an_installation_that_does_not_end_is_stopped(made, tmp_path) -> None:
    """Such a line keeps pip busy for hours. The platform reads it at once."""
    asked = dataclasses.replace(wanted(tmp_path), seconds=3)
    (tmp_path / "code" / "requirements.txt").write_text(f"a{' ' * 500_000}/")
    began = time.monotonic()

    with pytest.raises(errors.AgentUnavailable, match="longer than 3 seconds"):
        await made.make(asked)

    assert time.monotonic() - began < 20


async def test_an_environment_is_made_once_for_an_agent_and_never_shared_with_another(made, tmp_path) -> None:
    first, again, others = await asyncio.gather(
        made.make(wanted(tmp_path)),
        made.make(wanted(tmp_path, package_hash="2")),
        made.make(wanted(tmp_path, "local/other")),
    )

    assert first == again
    assert others != first


async def test_an_environment_that_was_left_half_made_is_made_again(made, tmp_path) -> None:
    folder = await made.make(wanted(tmp_path))
    (folder / "complete").unlink()
    (folder / "junk").write_text("")

    assert await made.make(wanted(tmp_path)) == folder

    assert not (folder / "junk").exists()


async def test_one_whose_making_is_broken_off_is_left_alone_before_others_make_it(made, tmp_path) -> None:
    folder = await made.make(wanted(tmp_path))
    (folder / "complete").unlink()
    for number in range(10_000):  # so that it takes a while
        (folder / f"junk{number}").touch()
    first = folder / os.listdir(folder)[0]  # noqa: PTH208 - what is removed first
    making = asyncio.create_task(made.make(wanted(tmp_path)))
    while first.exists():  # noqa: ASYNC110 - it is a thread that is waited for
        await asyncio.sleep(0.001)
    making.cancel()
    await asyncio.wait({making})

    assert not list(folder.glob("junk*"))
    assert (folder / "bin" / "python").exists()
    assert await made.make(wanted(tmp_path)) == folder


async def test_the_oldest_that_nobody_uses_are_removed(made, tmp_path) -> None:
    used = await made.make(wanted(tmp_path, "local/first"))
    for number in range(22):
        folder = tmp_path / "environments" / f"made{number:02}"
        folder.mkdir()
        (folder / "complete").touch()
        os.utime(folder / "complete", (number, number))

    await made.prune([used])

    assert used.exists()
    left = sorted(path.name for path in (tmp_path / "environments").iterdir() if path != used)
    assert left == [f"made{number:02}" for number in range(2, 22)]


async def test_one_that_is_wanted_again_while_it_is_removed_is_whole(made, tmp_path) -> None:
    folder = await made.make(wanted(tmp_path))
    for number in range(2_000):  # so that it takes a while
        (folder / f"junk{number}").touch()
    for number in range(20):
        (tmp_path / "environments" / f"newer{number:02}").mkdir()
        (tmp_path / "environments" / f"newer{number:02}" / "complete").touch()
    os.utime(folder / "complete", (1, 1))

    pruning = asyncio.create_task(made.prune([]))
    while (folder / "complete").exists():  # noqa: ASYNC110 - there is no event of a folder that is moved
        await asyncio.sleep(0)
    assert await made.make(wanted(tmp_path)) == folder
    await pruning

    assert (folder / "bin" / "python").exists()
    assert len(list((tmp_path / "environments").iterdir())) == 21
