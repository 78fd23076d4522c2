import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixieai import errors
from fixieai.storage import home_lock

_HOLDER = """
import pathlib, sys
from fixieai.storage import home_lock
lock = home_lock.acquire(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_platform_is_refused_until_the_first_has_died(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(errors.Conflict, match=rf"process {holder.pid}\).*{tmp_path}.*FIXIE_HOME"):
            home_lock.acquire(tmp_path)
        holder.send_signal(signal.SIGKILL)
    lock = home_lock.acquire(tmp_path)
    assert (tmp_path / "platform.lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_released_lock_can_be_taken_again(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "new" / "home"
    first = home_lock.acquire(home)
    with pytest.raises(errors.Conflict, match=str(os.getpid())):
        home_lock.acquire(home)
    first.release()
    first.release()
    home_lock.acquire(home).release()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "platform.lock").stat().st_mode) == 0o600


def test_a_home_that_cannot_be_one_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(errors.ConfigurationError, match=r"home/platform\.lock"):
        home_lock.acquire(tmp_path / "home")


def test_removing_the_file_lets_no_second_platform_in(tmp_path: pathlib.Path) -> None:
    lock = home_lock.acquire(tmp_path)
    (tmp_path / "platform.lock").unlink()
    with pytest.raises(errors.Conflict):
        home_lock.acquire(tmp_path)
    lock.release()
    home_lock.acquire(tmp_path).release()


def test_who_has_a_home_is_known_without_taking_it(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "home"
    assert home_lock.holder(home) is None
    lock = home_lock.acquire(home)
    assert home_lock.holder(home) == os.getpid()
    lock.release()
    assert home_lock.holder(home) is None
    home_lock.acquire(home).release()


def test_who_only_looks_refuses_the_home_to_nobody(tmp_path: pathlib.Path) -> None:
    home_lock.acquire(tmp_path).release()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            home_lock.holder(tmp_path)

    with ThreadPoolExecutor() as threads:
        looking = [threads.submit(look) for _ in range(2)]
        try:
            for _ in range(300):
                home_lock.acquire(tmp_path).release()
        finally:
            is_over.set()
        for each in looking:
            each.result()
