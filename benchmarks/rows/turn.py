"""The next turn of a long conversation: CPU of the platform's process per past message that is sent."""

import contextlib
from collections.abc import Callable

from benchmarks import system
from benchmarks.load import Load
from benchmarks.measuring import best, cpu_of
from benchmarks.processes import Child
from benchmarks.system import System
from benchmarks.table import Row

_LONG = 1000
# Beyond the window that is shown to the model, what a session holds should cost nothing.
_BEYOND_WINDOW = 300
_QUESTION = {"message": {"text": system.QUESTION}}


def measure(quick: bool) -> list[Row]:
    calls, rounds = (5, 1) if quick else (40, 9)
    with contextlib.ExitStack() as stack:
        model_url = stack.enter_context(Child("-m", "benchmarks.servers.model")).address()
        relay = stack.enter_context(Child("-m", "benchmarks.servers.relay", model_url, model_url))
        relay_url = relay.address()
        running = stack.enter_context(system.running(system.scripted(model_url), "chat"))
        new_sessions = iter([_session(running, 0) for _ in range(calls * (rounds + 1) + 1)])
        beyond, long = _session(running, _BEYOND_WINDOW), _session(running, _LONG)

        def sent_in(session: str) -> int:
            """The model answers with the number."""
            return int(running.ask(session).split()[0])

        def relayed(messages: int) -> Load:
            return Load(f"{relay_url}/turn/{messages}", lambda: _QUESTION, callers=1)

        def turns(session: Callable[[], str]) -> Load:
            return running.asking(session, callers=1)

        fewest, most = sent_in(next(new_sessions)), sent_in(long)
        found = best(
            {
                "floor_few": cpu_of(relay, relayed(fewest), 5 * calls),
                "floor_many": cpu_of(relay, relayed(most), 5 * calls),
                "few": cpu_of(running.platform, turns(lambda: next(new_sessions)), calls),
                "many": cpu_of(running.platform, turns(lambda: long), calls),
                "beyond": cpu_of(running.platform, turns(lambda: beyond), calls),
            },
            rounds,
        )
    per_message = 1e6 / (most - fewest)
    return [
        Row(
            "next turn, CPU per past message sent",
            "μs",
            ours=(found["many"] - found["few"]) * per_message,
            floor=(found["floor_many"] - found["floor_few"]) * per_message,
            budget=10,
            note=f"A session of {_LONG} messages against a new one; {most - fewest} more messages are sent.",
        ),
        Row(
            f"next turn, CPU, {_LONG} messages in the session (floor: {_BEYOND_WINDOW})",
            "ms",
            ours=1e3 * found["many"],
            floor=1e3 * found["beyond"],
        ),
    ]


def _session(running: System, messages: int) -> str:
    """A session with so many messages: two for each question that was answered."""
    handle: str = running.person.call("POST", "/api/sessions")["handle"]
    for _ in range(messages // 2):
        running.ask(handle)
    return handle
