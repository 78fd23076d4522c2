"""A public address for a port of this machine, by `ssh` to localhost.run."""

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from fixieai import errors

_HOST = "nokey@localhost.run"
_GRACE_SECONDS = 5.0
_SECONDS_BETWEEN_TRIES = 2.0


class Tunnel:
    """A tunnel to a local port, open while the block lasts; iterating gives its addresses.

    A connection that is lost is made again, and then the tunnel has a new address: the newest one works.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Opens it.

        Raises:
            ConfigurationError: there is no ssh here.
        """
        ssh = shutil.which("ssh")
        if ssh is None:
            raise errors.ConfigurationError("A tunnel needs the program `ssh`, which is not installed.")
        # The key of the service is taken when it is first seen; a changed one is refused.
        options = ("StrictHostKeyChecking=accept-new", "ServerAliveInterval=15", "ExitOnForwardFailure=yes")
        command = [ssh, "-T", *(f"-o{option}" for option in options), "-R", f"80:127.0.0.1:{self._port}"]
        with self._lock:
            if self._is_over.is_set():
                return
            self._process = subprocess.Popen(  # noqa: S603 - fixed words and a number
                [*command, _HOST, "--", "--output", "json"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,  # Ctrl-C is for this process, which closes the tunnel in order
            )

    def __iter__(self) -> Iterator[str]:
        """Each address, when it comes; ends when the tunnel is closed."""
        while self._process is not None and not self._is_over.is_set():
            with contextlib.suppress(ValueError):  # closed meanwhile
                yield from filter(None, map(_address, self._process.stdout or ()))
            if not self._is_over.wait(_SECONDS_BETWEEN_TRIES):
                _end(self._process)
                self.start()

    def stop(self) -> None:
        """Closes it."""
        with self._lock:
            self._is_over.set()
        if self._process is not None:
            _end(self._process)


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _address(line: str) -> str | None:
    try:
        said = json.loads(line)
    except ValueError:  # a greeting
        return None
    address = said.get("address") if isinstance(said, dict) else None
    if not isinstance(address, str) or not address:
        return None
    return address if "://" in address else f"https://{address}"
