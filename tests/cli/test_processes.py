"""What commands start, and that it ends with them."""

import pathlib
import re
import signal
import stat
import time

import psutil
import pytest

from fixieai import credentials


def _processes_of(folder: pathlib.Path) -> list[psutil.Process]:
    """Those that work in the folder or were told of it."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([process.cwd(), *process.cmdline(), *process.environ().values()]):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _ended(folder: pathlib.Path) -> bool:
    """Whether all of them end."""
    until = time.monotonic() + 60
    while _processes_of(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return not _processes_of(folder)


@pytest.fixture
def machine(fixie):
    """A machine with nothing on it. `TMPDIR` is a folder to look into."""
    (fixie.folder / "tmp").mkdir()
    fixie.variables["TMPDIR"] = str(fixie.folder / "tmp")
    return fixie


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_platform_says_where_it_is_and_stops_without_complaint(machine, number):
    platform = machine.start("platform", "serve", "--port", "0", "--home", "here")
    address = platform.wait_for("is ready").splitlines()[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
    assert platform.stop(number) == 0
    assert "Traceback" not in platform.output()
    assert (machine.folder / "here" / credentials.LOCAL_KEY_FILE).exists()


def test_the_key_is_made_before_the_first_serve_and_stays_the_same(machine, tmp_path):
    key = machine("platform", "key").stdout
    assert re.fullmatch(r"[\w.-]+\n", key)
    file = tmp_path / "home" / credentials.LOCAL_KEY_FILE
    assert file.read_text().strip() == key.strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    platform = machine.start("platform", "serve", "--port", "0")
    machine.variables["FIXIE_API_URL"] = platform.wait_for("is ready").splitlines()[0]
    assert machine("platform", "key").stdout == key
    assert machine("user").stdout.startswith("Username: local")
    assert machine("user", code=0).returncode == 0
    platform.stop()


def test_a_home_or_port_in_use_is_an_error_that_says_so(machine):
    platform = machine.start("platform", "serve", "--port", "0")
    address = platform.wait_for("is ready").splitlines()[0]
    port = address.rpartition(":")[2]
    assert "in use" in machine("platform", "serve", "--port", port, "--home", "other", code=1).stderr
    assert "home" in machine("platform", "serve", "--port", "0", code=1).stderr
    assert "0.0.0.0" in machine("platform", "serve", "--host", "0.0.0.0", "--port", "0", code=1).stderr
    platform.stop()


def test_the_demo_answers_with_every_step_and_leaves_nothing_behind(machine, tmp_path):
    done = machine("demo", "--once")
    steps = [line for line in done.stdout.splitlines() if line.startswith("@")]
    assert any("Ask Agent[dice]: Roll a d12" in step for step in steps)
    assert any("dice: Ask Func[roll]: 12 1" in step for step in steps)
    assert any("Func[strike] says" in step for step in steps)
    assert re.search(r"^\d+ (hits|misses): the troll", done.stdout, re.MULTILINE)
    assert list((machine.folder / "tmp").iterdir()) == []
    assert not (tmp_path / "home").exists()
    assert _processes_of(tmp_path) == []


def test_the_demo_goes_on_with_what_is_typed(machine):
    done = machine("demo", answers="@dice Roll 2d20\n")
    assert re.search(r"You rolled \d+ and \d+, for a total of \d+\.", done.stdout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_demo_that_is_stopped_leaves_no_process_behind(machine, tmp_path, number):
    demo = machine.start("demo")
    demo.wait_for("@local/game_master")
    code = demo.stop(number)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert _ended(tmp_path)
    if number != signal.SIGKILL:
        assert list((machine.folder / "tmp").iterdir()) == []
        assert "Traceback" not in demo.output()


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8, 1.2, 1.6])
def test_a_demo_that_is_stopped_while_it_starts_leaves_no_process_behind(machine, tmp_path, seconds):
    demo = machine.start("demo")
    time.sleep(seconds)
    demo.stop(signal.SIGINT)
    assert _ended(tmp_path)
