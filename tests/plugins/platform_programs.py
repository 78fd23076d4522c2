"""Platforms as processes of their own, which write their log to a file."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Mapping

import requests

_SECONDS = 60


def start(
    home: pathlib.Path, port: int, log: pathlib.Path, variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """`variables` are put over those of this process; what was logged before stays."""
    command = [sys.executable, "-m", "fixieai.cli.main", "platform", "serve", "--home", str(home)]
    with log.open("ab") as writing:
        return subprocess.Popen(
            [*command, "--port", str(port)], stdout=writing, stderr=writing, env={**os.environ, **variables}
        )


def wait_for(process: subprocess.Popen[bytes], url: str, log: pathlib.Path) -> None:
    """Until it answers."""
    until = time.monotonic() + _SECONDS
    while True:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/healthz", timeout=_SECONDS).ok:
                return
        assert process.poll() is None, log.read_text("utf-8")
        assert time.monotonic() < until, log.read_text("utf-8")
        time.sleep(0.02)
