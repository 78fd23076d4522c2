"""Peak memory of the platform's process."""

from benchmarks import system
from benchmarks.processes import Child, Connection
from benchmarks.table import Row

_MIB = 1024 * 1024


def measure(quick: bool) -> list[Row]:
    queries = 20 if quick else 200
    with Child("-m", "benchmarks.servers.bare") as bare:
        client = Connection(bare.address())
        for _ in range(queries):
            client.call("GET", "/healthz")
        floor = bare.peak_bytes() / _MIB
    with Child("-m", "benchmarks.servers.model") as model:
        scripted = _peak(system.scripted(model.address()), queries)
    few_shot = _peak(system.FEW_SHOT, queries)
    return [
        Row(
            f"peak memory after {queries} queries",
            "MiB",
            ours=scripted,
            floor=floor,
            budget=110,
            note=f"With the package `openai` loaded; with the few-shot model {few_shot:.0f} MiB.",
        )
    ]


def _peak(variables: dict[str, str], queries: int) -> float:
    with system.running(variables) as running:
        for _ in range(queries):
            running.ask()
        return running.platform.peak_bytes() / _MIB
