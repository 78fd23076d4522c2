"""Processes are killed and stopped, and their runs go on in others; effects are counted in a file."""

import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from fixieai.storage.database import sqlite_url

PROGRAM = pathlib.Path(__file__).with_name("durable_program.py")
ANSWER = "[10, 20, 30, 40, 50]"
SECONDS = 60

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return sqlite_url(tmp_path / "durable.db")


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(url: str, executor_id: str, *dead: str) -> "subprocess.Popen[str]":
        command = [sys.executable, str(PROGRAM), url, executor_id, str(tmp_path), *dead]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def answer(process: "subprocess.Popen[str]") -> str:
    output, complaints = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, complaints
    return output.strip()


def effects(folder: pathlib.Path) -> list[tuple[str, str]]:
    file = folder / "effects"
    lines = file.read_text().splitlines() if file.exists() else []
    return [tuple(line.split(maxsplit=1)) for line in lines]  # type: ignore[misc]


def wait_for_effects(folder: pathlib.Path, count: int, process: "subprocess.Popen[str]") -> None:
    wait_until(lambda: len(effects(folder)) >= count, process)


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def numbers(folder: pathlib.Path) -> list[str]:
    return [number for number, _ in effects(folder)]


@pytest.mark.parametrize("killed_at", [1, 3, 5])
def test_a_killed_process_repeats_the_effect_under_way_alone_and_with_its_key(
    url: str, start: Start, tmp_path: pathlib.Path, killed_at: int
) -> None:
    hold = tmp_path / f"hold-{killed_at}"
    hold.touch()
    first = start(url, "a")
    wait_for_effects(tmp_path, killed_at, first)
    first.kill()
    first.wait()
    hold.unlink()

    assert answer(start(url, "a")) == ANSWER
    expected = [str(number) for number in range(1, 6)]
    expected.insert(killed_at, str(killed_at))
    assert numbers(tmp_path) == expected
    assert effects(tmp_path)[killed_at - 1] == effects(tmp_path)[killed_at]
    assert len({key for _, key in effects(tmp_path)}) == 5


def test_finished_steps_are_not_repeated(url: str, start: Start, tmp_path: pathlib.Path) -> None:
    (tmp_path / "pause-3").touch()
    first = start(url, "a")
    wait_until((tmp_path / "stored-3").exists, first)
    first.kill()
    first.wait()
    (tmp_path / "pause-3").unlink()

    assert answer(start(url, "a")) == ANSWER
    assert numbers(tmp_path) == ["1", "2", "3", "4", "5"]
    assert answer(start(url, "a")) == ANSWER  # and the result is there for whoever asks again
    assert len(effects(tmp_path)) == 5


def test_on_sqlite_the_next_process_resumes_whatever_its_executor_is_called(
    start: Start, tmp_path: pathlib.Path
) -> None:
    url = sqlite_url(tmp_path / "durable.db")
    (tmp_path / "hold-2").touch()
    first = start(url, "a")
    wait_for_effects(tmp_path, 2, first)
    first.kill()
    first.wait()
    (tmp_path / "hold-2").unlink()

    assert answer(start(url, "b")) == ANSWER
    assert numbers(tmp_path) == ["1", "2", "2", "3", "4", "5"]


def test_on_sqlite_a_second_process_is_refused_and_told_who_has_the_file(
    start: Start, tmp_path: pathlib.Path
) -> None:
    url = sqlite_url(tmp_path / "durable.db")
    (tmp_path / "hold-1").touch()
    first = start(url, "a")
    wait_for_effects(tmp_path, 1, first)

    second = start(url, "a")
    _, complaints = second.communicate(timeout=SECONDS)
    assert second.returncode != 0
    assert f"Another engine (process {first.pid}) already runs what is in" in complaints

    (tmp_path / "hold-1").unlink()
    assert answer(first) == ANSWER
    assert numbers(tmp_path) == ["1", "2", "3", "4", "5"]


def test_on_postgres_another_process_takes_over_and_one_that_only_slept_stops(
    postgres_url: str, start: Start, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "hold-3").touch()
    asleep = start(postgres_url, "a")
    wait_for_effects(tmp_path, 3, asleep)
    asleep.send_signal(signal.SIGSTOP)
    (tmp_path / "hold-3").unlink()

    assert answer(start(postgres_url, "b", "a")) == ANSWER
    asleep.send_signal(signal.SIGCONT)
    assert answer(asleep) == ANSWER
    assert numbers(tmp_path) == ["1", "2", "3", "3", "4", "5"]


def test_on_postgres_nobody_takes_what_a_living_process_runs(
    postgres_url: str, start: Start, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "hold-3").touch()
    first = start(postgres_url, "a")
    wait_for_effects(tmp_path, 3, first)
    second = start(postgres_url, "b")
    with pytest.raises(subprocess.TimeoutExpired):
        second.communicate(timeout=4)
    (tmp_path / "hold-3").unlink()

    assert (answer(first), answer(second)) == (ANSWER, ANSWER)
    assert numbers(tmp_path) == ["1", "2", "3", "4", "5"]
