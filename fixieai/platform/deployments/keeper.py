"""Keeps one program: runs it within limits, keeps what it prints, and leaves nothing of it behind.

    python -I -S keeper.py NUMBER

NUMBER is a socket whose other end the platform holds. The platform writes one line of JSON (see
`processes.Command`) and reads one when the program has ended: {"code": -9, "reason": "..."}. When it
writes another, the seconds that the program has to end in, or is gone itself, the program is stopped.
Why a process of its own does that:

* It outlives a platform that is killed just long enough to stop what the platform started.
* On Linux it inherits every process that the program leaves behind, so none gets away from it.
* A program that prints without end, or must be watched, costs the platform nothing.

It is run as a file, before there is any environment, so it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import resource
import selectors
import signal
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_LOOK_SECONDS = 0.5
_PIECE_BYTES = 64 * 1024
_LINE_BYTES = 8 * 1024
_LOG_BYTES = 1024 * 1024
# What a program prints beyond this waits in its pipe, and so does the program.
_LOG_BYTES_PER_SECOND = 1024 * 1024
_MIB = 1024 * 1024
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_KILL_ROUNDS = 500
# Of everything that this user of the machine runs: it bounds what forks faster than a keeper looks.
_PROCESSES_OF_USER = 8192
# What programs compute does not keep the platform from answering.
_NICE = 5
_GRACE_SECONDS = 3.0


class Log:
    """A file of lines with their time, begun anew when it is full; the one before is kept as `NAME.1`."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._unfinished = b""

    def print(self, text: str) -> None:
        """A line of the platform's own."""
        self.write(f"[platform] {text[:1].upper()}{text[1:]}.\n".encode())

    def write(self, content: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + content).split(b"\n")
        if len(self._unfinished) > _LINE_BYTES:
            lines, self._unfinished = [*lines, self._unfinished], b""
        if lines:
            now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00 ", time.gmtime()).encode()
            self._append(b"".join(now + line[:_LINE_BYTES] + b"\n" for line in lines))

    def finish(self) -> None:
        if self._unfinished:
            self.write(b"\n")

    def _append(self, content: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the program
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, content)
                is_full = os.fstat(descriptor).st_size > _LOG_BYTES
            finally:
                os.close(descriptor)
            if is_full:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))


class Keeper:
    """One program from its start to its end."""

    def __init__(self, lifeline: socket.socket, command: dict[str, Any]) -> None:
        self._lifeline = lifeline
        self._command = command
        self._log = Log(pathlib.Path(command["log"]))
        self._selector = selectors.DefaultSelector()
        self._output = -1
        self._pid = 0
        self._code: int | None = None
        self._reason: str | None = None
        self._killing_at: float | None = None
        self._looking_at = 0.0
        self._second = 0
        self._taken = 0

    def run(self) -> dict[str, object]:
        """How the program ended. Returns when nothing of it runs any more."""
        self._start()
        while self._code is None:
            self._turn()
        self._kill()
        with contextlib.suppress(BlockingIOError):
            self._log.write(os.read(self._output, _PIECE_BYTES))
        self._log.finish()
        return {"code": self._code, "reason": self._reason}

    def stop(self, grace_seconds: float = _GRACE_SECONDS) -> None:
        """Asks the program to end. It is killed when it has not done so in time."""
        if self._killing_at is None:
            self._killing_at = time.monotonic() + grace_seconds
            tell([-self._pid], signal.SIGTERM)

    def _start(self) -> None:
        self._output, theirs = os.pipe()
        os.set_blocking(self._output, False)
        self._pid = os.fork()
        if self._pid == 0:
            become(self._command, theirs)
        os.close(theirs)
        wake, woken = os.pipe()
        for descriptor in (wake, woken):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())
        self._selector.register(wake, selectors.EVENT_READ, lambda: os.read(wake, _PIECE_BYTES))
        self._selector.register(self._output, selectors.EVENT_READ, self._take_output)
        self._selector.register(self._lifeline, selectors.EVENT_READ, self._let_go)

    def _turn(self) -> None:
        """Waits for what happens next, half a second at most."""
        for key, _ in self._selector.select(_LOOK_SECONDS):
            key.data()
        self._reap()
        if self._code is None and time.monotonic() >= self._looking_at:
            self._looking_at = time.monotonic() + _LOOK_SECONDS
            self._look()

    def _let_go(self) -> None:
        """The platform wants the program to end, or is gone itself."""
        self._selector.unregister(self._lifeline)
        said = b""
        with contextlib.suppress(OSError):  # reset: the platform was killed
            said = self._lifeline.recv(_PIECE_BYTES)
        self.stop(float(said) if said else _GRACE_SECONDS)

    def _take_output(self) -> None:
        content = os.read(self._output, _PIECE_BYTES)
        self._log.write(content)
        second = int(time.monotonic())
        self._taken = len(content) + (self._taken if second == self._second else 0)
        self._second = second
        if not content or self._taken > _LOG_BYTES_PER_SECOND:
            self._selector.unregister(self._output)
            if not content:
                self._taken = -1

    def _look(self) -> None:
        """Ends a program that is beyond its limits, or that was asked to end and has not."""
        if self._taken > _LOG_BYTES_PER_SECOND and int(time.monotonic()) > self._second:
            self._taken = 0
            self._selector.register(self._output, selectors.EVENT_READ, self._take_output)
        if self._killing_at is not None and time.monotonic() >= self._killing_at:
            problem: str | None = "it was asked to end and did not"
        else:
            problem = self._problem()
        if problem:
            self._log.print(f"killed: {problem}")
            self._reason = problem
            self._kill()

    def _problem(self) -> str | None:
        pids = descendants(os.getpid())
        most_mib, most = self._command["memory_mib"], self._command["processes"]
        if len(pids) > most:
            return f"it ran more than {most} processes at once"
        if sum(map(resident_bytes, pids)) > most_mib * _MIB < sum(map(own_bytes, pids)):
            return f"it used more than {most_mib} MiB of memory"
        return None

    def _kill(self) -> None:
        """Everything that the program started, wherever it has gone. Stopped first, it starts no more."""
        if sys.platform != "linux":
            tell([-self._pid], signal.SIGKILL)
        for _ in range(_KILL_ROUNDS):
            self._reap()
            pids = descendants(os.getpid())
            if not pids:
                return
            tell(pids, signal.SIGSTOP)
            tell(pids, signal.SIGKILL)
            time.sleep(0.01)

    def _reap(self) -> None:
        """Of the program itself, and of what it left behind: a keeper inherits it."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._pid:
                    self._code = os.waitstatus_to_exitcode(status)


def become(command: dict[str, Any], output: int) -> NoReturn:
    """Turns this process into the program. Nothing is inherited but what the command names."""
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.umask(0o077)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores them, and that would be inherited
        limit(command)
        os.nice(_NICE)
        os.chdir(command["folder"])
        os.execve(  # noqa: S606 - no shell is what is wanted
            command["arguments"][0], command["arguments"], command["variables"]
        )
    except BaseException as error:  # noqa: BLE001 - whatever it is, this process must not go on
        os.write(2, f"[platform] The program cannot be run: {error}\n".encode())
    finally:
        os._exit(127)


def limit(command: dict[str, Any]) -> None:
    """A single process must not grow faster than `Keeper` looks; threads' stacks count, so it gets double."""
    limits = (
        (resource.RLIMIT_DATA, 2 * command["memory_mib"] * _MIB),
        (resource.RLIMIT_FSIZE, command["file_mib"] * _MIB),
        (resource.RLIMIT_NOFILE, command["files"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, _PROCESSES_OF_USER),
    )
    for kind, wanted in limits:
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))
    with contextlib.suppress(OSError):  # there where memory ends, it is not the platform that goes
        pathlib.Path("/proc/self/oom_score_adj").write_text("500", "ascii")
    tell_kernel(_PR_SET_PDEATHSIG, signal.SIGKILL)


def tell_kernel(option: int, value: int) -> None:
    """`prctl`, where there is one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def tell(pids: list[int], number: int) -> None:
    """Sends a signal to processes, or to a group of them by its number below 0."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def descendants(pid: int) -> list[int]:
    """The processes below one; where /proc does not say, none. Asked all the time: it has to be quick."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - as in `content_of`
            children += map(int, content_of(f"/proc/{pid}/task/{thread}/children").split())
    return children + [below for child in children for below in descendants(child)]


def resident_bytes(pid: int) -> int:
    """What a process has in memory, as is quickly seen; 0 for one that is gone."""
    pages = content_of(f"/proc/{pid}/statm").split()
    return int(pages[1]) * resource.getpagesize() if pages else 0


def content_of(path: str) -> bytes:
    """Empty where there is no such file."""
    with contextlib.suppress(OSError), open(path, "rb", 0) as file:  # noqa: PTH123 - half the time of pathlib
        return file.read()
    return b""


def own_bytes(pid: int) -> int:
    """The same, of what it shares with other processes its part. A process may forbid to look: then all."""
    for line in content_of(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return resident_bytes(pid)


def main() -> None:
    """Takes the number of the socket from `sys.argv`."""
    lifeline = socket.socket(fileno=int(sys.argv[1]))
    lifeline.set_inheritable(False)
    received = b""
    while not received.endswith(b"\n"):
        piece = lifeline.recv(_PIECE_BYTES)
        if not piece:
            return
        received += piece
    tell_kernel(_PR_SET_CHILD_SUBREAPER, 1)
    ending = Keeper(lifeline, json.loads(received)).run()
    with contextlib.suppress(OSError):  # nobody is there any more
        lifeline.sendall(json.dumps(ending).encode())


if __name__ == "__main__":
    main()
