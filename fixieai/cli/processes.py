"""Processes that a command starts: they end when it does, however it ends."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

_GRACE_SECONDS = 10.0
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def stopped_by_signals() -> Generator[None, None, None]:
    """Ctrl-C, SIGTERM or a closed terminal end the block, after its clean-up; that is not a failure."""
    previous = {number: signal.signal(number, _stop) for number in _SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: the clean-up is under way
    raise SystemExit(0)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until a clean-up is done."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


class Child:
    """A Python module run as a process of its own, which stops when this process is gone.

    Use as a context manager: leaving it stops the process.
    """

    def __init__(  # noqa: PLR0913 - what a process is told at its start
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path | None = None,
        listening: socket.socket | None = None,
        log: IO[bytes] | None = None,
        quiet: bool = False,
        python: str = sys.executable,
    ) -> None:
        """Starts `python -m` with `arguments`, the module first.

        Args:
            folder: where it runs; here, unless given.
            listening: a socket it inherits, under the same number.
            log: takes what it prints; without one it prints where we do.
            quiet: what it prints on standard output is for nobody.
            python: the interpreter that runs it; this one, unless given.
        """
        ours, theirs = socket.socketpair()
        inherited = [theirs.fileno()] + ([listening.fileno()] if listening else [])
        # Unbuffered: what an agent prints is seen at once, in a pipe and in a file too.
        command = [python, "-u", "-m", "fixieai.cli.child", str(theirs.fileno()), *arguments]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                env=dict(environment),
                cwd=folder,
                pass_fds=inherited,
                process_group=0,  # Ctrl-C is for this process, which stops the others in order
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if quiet else log,
                stderr=log,
            )
        self._lifeline = ours

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait_until_ready(self, seconds: float) -> str | None:
        """What the process says when it is ready (see `lifeline.tell_ready`).

        None: it ended before, or did not get ready in that time.
        """
        said = b""
        while not said.endswith(b"\n"):
            if not select.select([self._lifeline], [], [], seconds)[0]:
                return None
            part = self._lifeline.recv(4096)
            if not part:
                self._process.wait()
                return None
            said += part
        return said.decode().strip()

    def wait(self, seconds: float) -> int | None:
        """The exit code; None when it has not ended after that time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ends the process: gently, and after ten seconds by force."""
        with uninterrupted():
            self._process.terminate()
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._lifeline.close()


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with changes; None removes a variable."""
    merged = {**os.environ, **{name: value for name, value in changes.items() if value is not None}}
    return {name: value for name, value in merged.items() if changes.get(name, value) is not None}
