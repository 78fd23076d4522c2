"""From SIGKILL in the middle of a query to its answer: the platform is started again at once."""

import contextlib
import http.client
import statistics
import threading
import time
import urllib.parse

from benchmarks import system
from benchmarks.processes import Connection
from benchmarks.rows.start import start_of_platform
from benchmarks.servers.agent import SLOW_SECONDS
from benchmarks.system import System
from benchmarks.table import Row

_POLL_SECONDS = 0.005
_LINES_BEFORE = 2  # the question, and that the func is called


def measure(quick: bool) -> list[Row]:
    times = 1 if quick else 5
    floor = statistics.median(start_of_platform() for _ in range(times))
    recovered = statistics.median(_recovery() for _ in range(times))
    return [
        Row(
            "from SIGKILL in mid-query to the query's answer",
            "s",
            ours=recovered - SLOW_SECONDS,
            floor=floor,
            note=f"Without the func that was cut off and is called again ({SLOW_SECONDS} s). The floor is a "
            "start of the platform to its first answer.",
        )
    ]


def _recovery() -> float:
    with system.running(system.FEW_SHOT, "slow") as running:
        running.ask()
        session = running.person.call("POST", "/api/sessions")["handle"]
        asking = threading.Thread(target=_ask, args=(running, session))
        asking.start()
        while len(_types(running.url, running.key, session)) < _LINES_BEFORE:
            time.sleep(_POLL_SECONDS)
        running.platform.kill()
        start = time.perf_counter()
        asking.join()
        port = urllib.parse.urlsplit(running.url).port or 0
        with system.serve_platform(running.home, system.FEW_SHOT, port) as again:
            again.address()
            while _types(running.url, running.key, session)[-1] != "response":
                time.sleep(_POLL_SECONDS)
            return time.perf_counter() - start


def _ask(running: System, session: str) -> None:
    """Whoever asked loses the connection."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        running.ask(session)


def _types(url: str, key: str, session: str) -> list[str]:
    """Of each line that is stored."""
    messages = Connection(url, key).call("GET", f"/api/sessions/{session}/messages")["messages"]
    return [message["type"] for message in messages]
