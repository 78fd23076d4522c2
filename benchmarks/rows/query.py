"""One stored query through the server: CPU of the platform's process."""

import contextlib

from benchmarks import system
from benchmarks.load import Load
from benchmarks.measuring import best, cpu_of
from benchmarks.processes import Child
from benchmarks.table import Row

_QUESTION = {"message": {"text": system.QUESTION}}


def measure(quick: bool) -> list[Row]:
    calls, rounds = (20, 1) if quick else (200, 7)
    with contextlib.ExitStack() as stack:
        model_url = stack.enter_context(Child("-m", "benchmarks.servers.model")).address()
        func_url = stack.enter_context(Child("-m", "benchmarks.servers.bare")).address()
        relay = stack.enter_context(Child("-m", "benchmarks.servers.relay", model_url, func_url))
        relay_url = relay.address()
        scripted = stack.enter_context(system.running(system.scripted(model_url)))
        few_shot = stack.enter_context(system.running(system.FEW_SHOT))
        found = best(
            {
                "relay": cpu_of(relay, Load(f"{relay_url}/query", lambda: _QUESTION), calls),
                "scripted": cpu_of(scripted.platform, scripted.asking(), calls),
                "relay_alone": cpu_of(relay, Load(f"{relay_url}/query", lambda: _QUESTION, callers=1), calls),
                "scripted_alone": cpu_of(scripted.platform, scripted.asking(callers=1), calls),
                "relay_func": cpu_of(relay, Load(f"{relay_url}/func", lambda: _QUESTION), calls),
                "few_shot": cpu_of(few_shot.platform, few_shot.asking(), calls),
            },
            rounds,
        )
    milliseconds = {name: 1e3 * seconds for name, seconds in found.items()}
    return [
        Row(
            "stored query, CPU (2 model calls, 1 func)",
            "ms",
            ours=milliseconds["scripted"],
            floor=milliseconds["relay"],
            budget=5,
            note="Each query in a new session. The floor is Starlette and aiohttp making the same calls.",
        ),
        Row(
            "the same, one query at a time",
            "ms",
            ours=milliseconds["scripted_alone"],
            floor=milliseconds["relay_alone"],
        ),
        Row(
            "stored query, CPU (few-shot model, 1 func)",
            "ms",
            ours=milliseconds["few_shot"],
            floor=milliseconds["relay_func"],
            budget=5,
        ),
    ]
