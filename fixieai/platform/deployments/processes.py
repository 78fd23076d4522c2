"""Programs of uploaded code as processes, each behind a keeper of its own (see `keeper`)."""

import asyncio
import json
import pathlib
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

_KEEPER = pathlib.Path(__file__).with_name("keeper.py")
_LONGEST_REPORT = 64 * 1024
# Beyond what the program itself gets: the keeper may have many processes to end.
_KEEPER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What one program may use, with all the processes that it starts.

    `file_mib` is the largest single file it may write, `files` what each process may have open.
    """

    memory_mib: int = 512
    file_mib: int = 1024
    files: int = 1024
    processes: int = 64


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. The program gets these variables and no others, and what it prints goes to `log`."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    folder: pathlib.Path
    log: pathlib.Path
    limits: ProcessLimits

    def as_json(self) -> str:
        return json.dumps(
            {
                "arguments": self.arguments,
                "variables": dict(self.variables),
                "folder": str(self.folder),
                "log": str(self.log),
                **asdict(self.limits),
            }
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended: with an exit code (below 0: by that signal), and why, where the keeper knows."""

    code: int | None
    reason: str | None = None

    @property
    def text(self) -> str:
        """As the end of a sentence."""
        if self.reason:
            return self.reason
        if self.code is None:
            return "its keeper was killed"
        if self.code < 0:
            return f"it was killed by {_signal_name(-self.code)}"
        return f"it ended with exit code {self.code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Process:
    """A running program. Made by `start`; whoever starts one waits for `ended`, or stops it."""

    def __init__(
        self, keeper: asyncio.subprocess.Process, lifeline: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        self._keeper = keeper
        self._reader, self._writer = lifeline
        self.ended = asyncio.create_task(self._wait())

    async def stop(self, grace_seconds: float) -> Ending:
        """Ends the program, gently and then by force. Again is harmless."""
        if not self.ended.done() and not self._writer.is_closing():
            self._writer.write(f"{grace_seconds}\n".encode())
        _, late = await asyncio.wait({self.ended}, timeout=grace_seconds + _KEEPER_SECONDS)
        if late:
            self._keeper.kill()
        return await self.ended

    async def _wait(self) -> Ending:
        try:
            report = json.loads(await self._reader.read(_LONGEST_REPORT))
            ending = Ending(report["code"], report["reason"])
        except (OSError, ValueError):
            ending = Ending(None)
        self._writer.close()
        await self._keeper.wait()
        return ending


async def start(command: Command, listening: socket.socket | None = None) -> Process:
    """Starts a program; it inherits `listening` under the same number.

    Raises:
        OSError: this machine has no room for another process.
    """
    ours, theirs = socket.socketpair()
    inherited = [theirs.fileno()] + ([listening.fileno()] if listening else [])
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        with theirs:
            keeper = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-X", "utf8", str(_KEEPER), str(theirs.fileno())),
                pass_fds=inherited,
                process_group=0,  # Ctrl-C is for the platform, which stops the others in order
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
            )
    except BaseException:
        writer.close()
        raise
    writer.write(f"{command.as_json()}\n".encode())
    return Process(keeper, (reader, writer))


async def run(command: Command, seconds: float) -> Ending:
    """Runs a program to its end.

    Raises:
        OSError: as `start`.
    """
    process = await start(command)
    try:
        done, _ = await asyncio.wait({process.ended}, timeout=seconds)
        return process.ended.result() if done else Ending(None, f"it took longer than {seconds:g} seconds")
    finally:
        await process.stop(0)
