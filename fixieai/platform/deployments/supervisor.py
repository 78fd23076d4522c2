"""Keeps one program running: waits until it answers, watches that it does, starts it again when it ended."""

import asyncio
import contextlib
import dataclasses
import random
import socket
import time
from dataclasses import dataclass

from fixieai.platform.deployments import processes
from fixieai.platform.deployments.keeper import Log
from fixieai.platform.deployments.processes import Command, Process
from fixieai.web import server

_HOST = "127.0.0.1"
_PORTS = range(30_000, 32_768)
_SECONDS_BETWEEN_TRIES = 0.05
_SECONDS_PER_TRY = 5.0
_SECONDS_TO_READ_ON = 1.0
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds.

    Attributes:
        start: until a program must answer.
        check: between two looks at whether it still does.
        hung: without an answer; then it is started again. Longer than any call may take.
        calm: after which an end is no longer counted with those before.
        longest_pause: between two starts of a program that keeps ending.
        grace: to end in, for a program that is no longer needed.
    """

    start: float = 60.0
    check: float = 20.0
    hung: float = 75.0
    calm: float = 60.0
    longest_pause: float = 60.0
    grace: float = 10.0


class NotRunning(Exception):
    """The program does not run; the text is why, as the end of a sentence.

    `for_all` says it to people who are not to know what an installer printed.
    """

    def __init__(self, text: str, for_all: str | None = None) -> None:
        super().__init__(text)
        self.for_all = for_all or text


class Supervisor:
    """One program, from its first start until `stop`. A first start that fails is the last one."""

    def __init__(self, command: Command, timing: Timing, *, takes_socket: bool) -> None:
        """
        Args:
            takes_socket: the program is given the number of a listening socket as its last argument,
                which stays open while the program is started again, so that callers wait. Without it
                the program finds a port to listen on in PORT, another one each time.
        """
        self._command = command
        self._timing = timing
        self._listening = server.bind(_HOST, 0) if takes_socket else None
        self._url: str | None = None
        self._problem: str | None = None
        self._changed = asyncio.Event()
        self._has_answered = False
        self._is_stopping = False
        self._grace_seconds = 1.0
        self._task = asyncio.create_task(self._run())

    async def url(self) -> str:
        """Where the program answers, once it does.

        Raises:
            NotRunning: it did not start, or keeps ending and is left alone for a while.
        """
        while self._url is None:
            if self._problem is not None:
                raise NotRunning(self._problem)
            await self._changed.wait()
        return self._url

    async def settled(self, seconds: float) -> None:
        """Returns once it answers or has failed, or when the time is over."""
        with contextlib.suppress(TimeoutError, NotRunning):
            async with asyncio.timeout(seconds):
                await self.url()

    async def stop(self, grace_seconds: float) -> None:
        """Ends the program. Calls under way get the grace time."""
        if not self._is_stopping:
            self._is_stopping = True
            self._grace_seconds = grace_seconds
            self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        ends = 0
        try:
            while True:
                began = time.monotonic()
                problem = await self._run_once()
                if not self._has_answered:
                    return self._set(None, problem)
                ends = 1 if time.monotonic() - began > self._timing.calm else ends + 1
                await self._pause(problem, ends)
        finally:
            self._set(None, self._problem or "it was stopped")
            if self._listening is not None:
                self._listening.close()

    async def _pause(self, problem: str, ends: int) -> None:
        """The first time none; then ever longer, while callers are told why nothing answers."""
        if ends == 1:
            await self._note(f"{problem}: it is started again")
            return
        seconds = min(2.0 ** (ends - 2), self._timing.longest_pause)
        said = f"{problem}, {ends} times in a row: it is started again in {seconds:g} seconds"
        self._set(None, said)
        await self._note(said)
        await asyncio.sleep(seconds)
        self._set(None, None)

    async def _run_once(self) -> str:
        """Why the program ended."""
        with contextlib.ExitStack() as claims:
            port = self._listening.getsockname()[1] if self._listening else _free_port(claims)
            return await self._run_at(port)

    async def _run_at(self, port: int) -> str:
        try:
            process = await processes.start(self._command_at(port), self._listening)
        except OSError as error:
            return f"this machine has no room for another process ({error.strerror})"
        try:
            problem = await self._until_it_answers(process, port)
            if problem is None:
                self._has_answered = True
                self._set(f"http://{_HOST}:{port}", None)
                problem = await self._until_it_fails(process, port)
            return problem
        finally:
            self._set(None, None)
            await process.stop(self._grace_seconds)

    def _command_at(self, port: int) -> Command:
        arguments = self._command.arguments
        if self._listening is not None:
            arguments = (*arguments, str(self._listening.fileno()))
        variables = {**self._command.variables, "HOST": _HOST, "PORT": str(port)}
        return dataclasses.replace(self._command, arguments=arguments, variables=variables)

    async def _until_it_answers(self, process: Process, port: int) -> str | None:
        """None, or why it does not."""
        asking = asyncio.create_task(_ask_until_answered(port))
        try:
            done, _ = await asyncio.wait(
                {asking, process.ended}, timeout=self._timing.start, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            asking.cancel()
        if process.ended in done:
            return process.ended.result().text
        return None if done else f"it did not answer within {self._timing.start:g} seconds"

    async def _until_it_fails(self, process: Process, port: int) -> str:
        answered = time.monotonic()
        while not (await asyncio.wait({process.ended}, timeout=self._timing.check))[0]:
            if await _answers(port, self._timing.check):
                answered = time.monotonic()
            elif time.monotonic() - answered > self._timing.hung:
                return f"it has not answered for {self._timing.hung:g} seconds"
        return process.ended.result().text

    def _set(self, url: str | None, problem: str | None) -> None:
        self._url, self._problem = url, problem
        self._changed.set()
        self._changed = asyncio.Event()

    async def _note(self, text: str) -> None:
        await asyncio.to_thread(Log(self._command.log).print, text)


def _free_port(claims: contextlib.ExitStack) -> int:
    """One that the system gives to nobody by itself: the program may take a while until it listens.

    Meanwhile no other program gets it either, of whichever platform: it would be taken for the one that
    listens there. The claim is a datagram socket of the same number. Where all ports are taken, the
    program says so.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        with contextlib.ExitStack() as trying, contextlib.suppress(OSError):
            trying.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((_HOST, port))
            socket.create_server((_HOST, port)).close()
            claims.enter_context(trying.pop_all())
            return port
    return _PORTS[0]


async def _ask_until_answered(port: int) -> None:
    while not await _answers(port, _SECONDS_PER_TRY):  # noqa: ASYNC110 - there is no event of another process
        await asyncio.sleep(_SECONDS_BETWEEN_TRIES)


async def _answers(port: int, seconds: float) -> bool:
    """Whether HTTP is spoken there. A refusal is an answer too: nothing is asked for."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(_HOST, port)
            try:
                writer.write(f"GET / HTTP/1.1\r\nHost: {_HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
                answer = await reader.read(_PIECE_BYTES)
                await _read_on(reader)
                return answer.startswith(b"HTTP/")
            finally:
                writer.close()
    except OSError:  # TimeoutError is one
        return False


async def _read_on(reader: asyncio.StreamReader) -> None:
    """To the end of the answer: a server that is hung up on would complain in its log."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS_TO_READ_ON):
            while await reader.read(_PIECE_BYTES):
                pass
