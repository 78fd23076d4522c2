"""Logs are read while their keepers write them, and begin them anew."""

import os
import pathlib
import threading
import time

from fixieai.platform.deployments import logs
from fixieai.platform.deployments.keeper import Log


def test_a_log_is_read_and_looked_through_while_it_is_begun_anew(tmp_path: pathlib.Path, monkeypatch) -> None:
    monkeypatch.setattr("fixieai.platform.deployments.keeper._LOG_BYTES", 10)  # with each line
    path = tmp_path / "1.log"
    old = tmp_path / "2.log"
    is_over = threading.Event()

    def write_on() -> None:
        log = Log(path)
        while not is_over.is_set():
            log.write(b"said\n")

    writing = threading.Thread(target=write_on)
    writing.start()
    try:
        for _ in range(2_000):
            assert all(line.endswith(" said") for line in logs.tail(path, 10))
            old.touch()
            os.utime(old, (time.time() - 31 * 86_400,) * 2)
            logs.remove_old(tmp_path)
            assert not old.exists()
    finally:
        is_over.set()
        writing.join()
