"""What importing costs: CPU over that of an interpreter that does nothing."""

import os
import sys
from collections.abc import Callable

from benchmarks.measuring import best
from benchmarks.processes import ROOT, environment
from benchmarks.table import Row

_STATEMENTS = {
    "bare": "pass",
    "floor": "import httpx2",
    "import fixieai": "import fixieai",
    "from fixieai import CodeShotAgent": "from fixieai import CodeShotAgent",
}


def measure(quick: bool) -> list[Row]:
    measures = {name: _cpu_of(statement) for name, statement in _STATEMENTS.items()}
    for run in measures.values():
        run()  # compiles what was never imported before
    found = best(measures, 2 if quick else 15)
    over_bare = {name: 1e3 * (seconds - found["bare"]) for name, seconds in found.items()}
    return [
        Row(f"`{name}`, CPU over bare Python", "ms", over_bare[name], over_bare["floor"], budget=250)
        for name in list(_STATEMENTS)[2:]
    ]


def _cpu_of(statement: str) -> Callable[[], float]:
    command = [sys.executable, "-c", f"import os; os.chdir({str(ROOT)!r}); {statement}"]

    def run() -> float:
        pid = os.posix_spawn(sys.executable, command, environment({}))
        _, status, usage = os.wait4(pid, 0)
        if status:
            raise RuntimeError(f"`{statement}` failed")
        return usage.ru_utime + usage.ru_stime

    return run
