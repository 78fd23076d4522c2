"""From starting a program to its first answer, on the clock."""

import pathlib
import re
import tempfile
import time

from benchmarks import system
from benchmarks.measuring import medians
from benchmarks.processes import ROOT, Child, Connection, is_free
from benchmarks.table import Row

_DICE = ROOT / "examples" / "dice" / "main.py"
_LOCAL_PLATFORM = "http://127.0.0.1:8180"
_READY = re.compile("Ctrl-C stops it")


def measure(quick: bool) -> list[Row]:
    has_room = is_free(8180)
    measures = {"floor": _bare, "platform": start_of_platform} | ({"dice": _dice} if has_room else {})
    found = medians(measures, 1 if quick else 7)
    return [
        Row("start of the platform to its first answer", "s", found["platform"], found["floor"], budget=1.5),
        Row(
            "`python dice.py` to its first answered query",
            "s",
            found.get("dice"),
            found["floor"],
            budget=1.5,
            note="" if has_room else "Port 8180 is taken: stop what listens there to measure this.",
        ),
    ]


def _bare() -> float:
    start = time.perf_counter()
    with Child("-m", "benchmarks.servers.bare") as child:
        Connection(child.address()).call("GET", "/healthz")
        return time.perf_counter() - start


def start_of_platform() -> float:
    with tempfile.TemporaryDirectory(prefix="fixie-benchmark-") as folder:
        start = time.perf_counter()
        with system.serve_platform(pathlib.Path(folder, "home"), system.FEW_SHOT) as child:
            Connection(child.address()).call("GET", "/healthz")
            return time.perf_counter() - start


def _dice() -> float:
    """The agent with a platform in its own process, and a question to it."""
    with tempfile.TemporaryDirectory(prefix="fixie-benchmark-") as folder:
        start = time.perf_counter()
        with Child(str(_DICE), variables={"FIXIE_HOME": folder, **system.FEW_SHOT}) as child:
            child.wait_for(_READY)
            person = Connection(_LOCAL_PLATFORM, pathlib.Path(folder, "api_key").read_text("ascii").strip())
            person.call("POST", "/api/agents/local/dice", {"message": {"text": system.QUESTION}})
            return time.perf_counter() - start
