"""Child processes, what they used up, and one connection to each."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Mapping
from typing import IO, Any, Self

ROOT = pathlib.Path(__file__).parent.parent
_ADDRESS = re.compile(r"http://[\w.]+:\d+")
# Settings of the product; and one that would have each start compile the product's own modules anew.
_LEFT_OUT = ("FIXIE_", "OPENAI_", "OLLAMA_", "PYTHONDONTWRITEBYTECODE")
_STOP_SECONDS = 20.0


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment as a user's would be, with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return {**kept, **variables}


class Child:
    """A Python program, for as long as the block lasts. `arguments` are those of the interpreter.

    Raises:
        RuntimeError: it ended, or wrote something else, before it wrote what was waited for.
    """

    def __init__(self, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment(variables or {}),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def wait_for(self, pattern: re.Pattern[str]) -> str:
        """The first match in what it writes to standard output from here on."""
        for line in self._process.stdout or ():
            if match := pattern.search(line):
                return match[0]
        self._log.seek(0)
        raise RuntimeError(f"{self._process.args!r} ended:\n{self._log.read().decode()}")

    def address(self) -> str:
        return self.wait_for(_ADDRESS)

    def cpu_seconds(self) -> float:
        """User and system time of all its threads, to the nanosecond: the clock that
        clock_getcpuclockid(3) names, which Python does not offer for other processes.
        """
        return time.clock_gettime(~self.pid << 3 | 2)

    def cpu_seconds_beside_main(self) -> float:
        """Of all its threads but the main one, which runs the event loop. Threads that ended are left out."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").iterdir()
        others = [task for task in tasks if task.name != str(self.pid)]
        return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in others) / 1e9

    def kill(self) -> None:
        """SIGKILL: it finishes nothing and tells nobody."""
        self._process.kill()
        self._process.wait()

    def peak_bytes(self) -> int:
        return peak_bytes(str(self.pid))

    def written_bytes(self) -> int:
        return written_bytes(str(self.pid))


def peak_bytes(pid: str) -> int:
    """The most memory that a process has had."""
    return _figure(pathlib.Path(f"/proc/{pid}/status"), "VmHWM") * 1024


def written_bytes(pid: str) -> int:
    """What a process has caused to be written to disks, whole pages, deleted files included."""
    return _figure(pathlib.Path(f"/proc/{pid}/io"), "write_bytes")


def _figure(path: pathlib.Path, name: str) -> int:
    for line in path.read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"{path} has no {name}")


class Connection:
    """One kept-alive HTTP connection."""

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        self._http = http.client.HTTPConnection(parts.netloc, timeout=60)
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The JSON that is answered.

        Raises:
            RuntimeError: the answer was not a success.
        """
        content = None if body is None else json.dumps(body)
        self._http.request(method, path, content, self._headers)
        response = self._http.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer.decode()}")
        return json.loads(answer)


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0
