"""The command line as people run it: a process with arguments, an environment, a folder."""

import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import pytest

FIXIE = (sys.executable, "-m", "fixieai.cli.main")
SECONDS = 60


def _environment(variables: dict[str, str]) -> dict[str, str]:
    """This environment without anything of ours, and with `variables`; the model is the offline one."""
    ours = ("FIXIE_", "OPENAI_", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "FIXIE_DEFAULT_MODEL": "few-shot", **variables}


@dataclass
class CommandLine:
    """Runs `fixie` with `variables` in `folder`."""

    folder: pathlib.Path
    variables: dict[str, str] = field(default_factory=dict)
    started: list["Running"] = field(default_factory=list)

    def __call__(self, *arguments: str, answers: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, which must be of that exit code and without a traceback."""
        done = subprocess.run(
            [*FIXIE, *arguments],
            input=answers,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=self.folder,
            env=_environment(self.variables),
            check=False,
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def start(self, *arguments: str, folder: pathlib.Path | None = None) -> "Running":
        """Starts a command that goes on, until it is stopped or the test is over."""
        running = Running([*FIXIE, *arguments], folder or self.folder, _environment(self.variables))
        self.started.append(running)
        return running

    def stop(self) -> None:
        for running in reversed(self.started):
            running.stop()


class Running:
    """A command that goes on, with nobody typing yet, and what it printed so far."""

    def __init__(self, command: list[str], folder: pathlib.Path, environment: dict[str, str]) -> None:
        self._output = folder / f"output-{time.monotonic_ns()}"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=folder, env=environment
            )

    def output(self) -> str:
        return self._output.read_text("utf-8", errors="replace")  # the last character may be half there

    def wait_for(self, text: str) -> str:
        """Waits until `text` was printed; everything that was."""

        def look() -> str:
            has_ended = self.process.poll() is not None
            output = self.output()
            assert text in output or not has_ended, output
            return output if text in output else ""

        return eventually(look, self.output)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        assert self.process.stdin is not None
        self.process.stdin.close()
        return code


def eventually(look: Callable[[], str], explain: Callable[[], str]) -> str:
    """Looks again until there is something."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(explain())


@pytest.fixture
def fixie(tmp_path: pathlib.Path) -> Iterator[CommandLine]:
    """Nobody's machine: no key, and nothing running where the platform should be."""
    (tmp_path / "work").mkdir()
    command_line = CommandLine(
        tmp_path / "work",
        {
            "FIXIE_HOME": str(tmp_path / "home"),
            "FIXIE_CONFIG_PATH": str(tmp_path / "config.yaml"),
            "FIXIE_API_URL": "http://127.0.0.1:9",
        },
    )
    yield command_line
    command_line.stop()


@pytest.fixture(scope="module")
def platform_cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A machine with a platform running, and a dice agent served by `fixie serve`."""
    folder = tmp_path_factory.mktemp("machine")
    variables = {"FIXIE_HOME": str(folder / "home"), "FIXIE_CONFIG_PATH": str(folder / "config.yaml")}
    command_line = CommandLine(folder, variables)
    try:
        platform = command_line.start("platform", "serve", "--port", "0")
        address = platform.wait_for("is ready").splitlines()[0]
        assert address.startswith("http://127.0.0.1:")
        variables["FIXIE_API_URL"] = address
        command_line("init", "dice", "--description", "Rolls dice.")
        command_line.start("serve", "dice", "--no-reload", "--port", "0").wait_for("local/dice is served at")
        yield command_line
    finally:
        command_line.stop()


@pytest.fixture
def look_until() -> Callable[[Callable[[], str], Callable[[], str]], str]:
    return eventually


# Ctrl-C is a signal only for those whose terminal it is.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A command at a terminal of its own. Use as a context manager: leaving it ends the command."""

    def __init__(self, fixie: CommandLine, *arguments: str) -> None:
        self._terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, sys.executable, "-m", "fixieai.cli.main", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=fixie.folder,
            env={**os.environ, "FIXIE_DEFAULT_MODEL": "few-shot", "TERM": "xterm", **fixie.variables},
            start_new_session=True,
        )
        os.close(theirs)
        os.set_blocking(self._terminal, False)
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def wait_for(self, pattern: str) -> None:
        """Waits until it was shown, and forgets what was shown up to there."""
        until = time.monotonic() + SECONDS
        while (match := re.search(pattern, self._shown)) is None:
            assert time.monotonic() < until, self._shown
            time.sleep(0.02)
            with suppress(BlockingIOError, OSError):
                self._shown += os.read(self._terminal, 65536).decode(errors="replace")
            if CURSOR_POSITION_ASKED in self._shown:
                self._shown = self._shown.replace(CURSOR_POSITION_ASKED, "")
                self.type("\x1b[1;1R")
        self._shown = self._shown[match.end() :]


CURSOR_POSITION_ASKED = "\x1b[6n"


@pytest.fixture
def at_terminal(platform_cli: CommandLine) -> Callable[..., Terminal]:
    """Runs a command at a terminal: `with at_terminal("console") as terminal`."""
    return lambda *arguments: Terminal(platform_cli, *arguments)
