"""Servers in processes that may open few files."""

import asyncio
import contextlib
import resource
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest

from fixieai.web import open_files

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
from starlette.responses import PlainTextResponse
from fixieai.web.server import bind, run_foreground, url_of
sock = bind("127.0.0.1", 0)
print(url_of(sock), flush=True)
run_foreground(PlainTextResponse("hello"), sock)
"""


def _answer_in_time(url: str) -> bytes:
    """While the crowd is let in and out, a newcomer may be cut off."""
    for _ in range(10):
        time.sleep(1)
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=60) as answer:
            return bytes(answer.read())
    return b""


@pytest.mark.parametrize("hard", [64, 4096])
def test_more_connections_than_files_leave_the_server_answering_and_its_log_short(hard: int) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(hard)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(process.terminate)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        place = urllib.parse.urlsplit(url)
        for _ in range(150):
            stack.enter_context(socket.create_connection((str(place.hostname), place.port), timeout=60))
        assert _answer_in_time(url) == b"hello"
        process.terminate()
        _, complaints = process.communicate(timeout=60)
    assert complaints.count("\n") <= 1
    assert "Traceback" not in complaints


async def test_a_socket_that_is_closed_while_accepting_pauses_is_not_complained_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    closed = socket.create_server(("127.0.0.1", 0))
    closed.close()
    loop.set_exception_handler(open_files.Complaints())
    try:
        loop.call_soon(loop._start_serving, asyncio.Protocol, closed)  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)
    finally:
        loop.set_exception_handler(None)

    assert caplog.text == ""


def test_a_server_gets_what_fits_and_never_nothing() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 8 <= open_files.connections_that_fit(700) <= 700
    assert open_files.connections_that_fit(5) == 5
    assert soft <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= hard
