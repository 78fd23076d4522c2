"""A public address for a port of this machine, by `ssh` to localhost.run."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from fixieai import errors

_HOST = "nokey@localhost.run"
_GRACE_SECONDS = 5.0


class Tunnel:
    """A tunnel to a local port, open while the block lasts; iterating gives its addresses.

    The service gives a new address when it lost the connection: the newest one is the one that works.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: subprocess.Popen[str] | None = None

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
        self._process = subprocess.Popen(  # noqa: S603 - fixed words and a number
            [*command, _HOST, "--", "--output", "json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C is for this process, which closes the tunnel in order
        )

    def __iter__(self) -> Iterator[str]:
        """Each address, when it comes; ends with the tunnel."""
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the tunnel is not open")
        with contextlib.suppress(ValueError):  # closed meanwhile
            for line in self._process.stdout:
                address = _address(line)
                if address:
                    yield address

    def stop(self) -> None:
        """Closes it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _address(line: str) -> str | None:
    try:
        said = json.loads(line)
    except ValueError:  # a greeting
        return None
    address = said.get("address") if isinstance(said, dict) else None
    if not isinstance(address, str) or not address:
        return None
    return address if "://" in address else f"https://{address}"
