"""A func call over HTTP with a verified token: CPU of the agent's process."""

from benchmarks import system
from benchmarks.load import Load
from benchmarks.measuring import best, cpu_of
from benchmarks.processes import Child
from benchmarks.table import Row

_MESSAGE = {"text": "20 1", "embeds": {}}


def measure(quick: bool) -> list[Row]:
    calls, rounds = (100, 1) if quick else (1000, 9)
    with system.running(system.FEW_SHOT) as running, Child("-m", "benchmarks.servers.bare") as bare:
        body = {"message": _MESSAGE, "access_token": running.token, **_MESSAGE}

        def calling(func: str) -> Load:
            return Load(f"{running.agent_url}/{func}", lambda: body, token=running.token)

        found = best(
            {
                "floor": cpu_of(bare, Load(f"{bare.address()}/func", lambda: body), calls),
                "async": cpu_of(running.agent, calling("roll"), calls),
                "sync": cpu_of(running.agent, calling("roll_sync"), calls),
            },
            rounds,
        )
    microseconds = {name: 1e6 * seconds for name, seconds in found.items()}
    return [
        Row(f"func call, CPU ({kind})", "μs", microseconds[kind], microseconds["floor"], budget)
        for kind, budget in (("async", 110), ("sync", 160))
    ]
