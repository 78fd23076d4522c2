"""`GET /api/sessions`, a page of 100: CPU of the platform's process."""

from benchmarks import system
from benchmarks.load import Load
from benchmarks.measuring import best, cpu_of
from benchmarks.processes import Child
from benchmarks.table import Row

_SESSIONS = 100
# A page of the newest costs the same in a long list.
_MANY = 1_000


def measure(quick: bool) -> list[Row]:
    calls, rounds = (20, 1) if quick else (200, 9)
    with system.running(system.FEW_SHOT) as running, Child("-m", "benchmarks.servers.bare") as bare:
        floor = Load(f"{bare.address()}/sessions/{_SESSIONS}/0", None)
        listing = Load(f"{running.url}/api/sessions?limit={_SESSIONS}", None, token=running.key)
        _open_sessions(running.url, running.key, _SESSIONS)
        found = best(
            {"floor": cpu_of(bare, floor, calls), "ours": cpu_of(running.platform, listing, calls)}, rounds
        )
        _open_sessions(running.url, running.key, _MANY - _SESSIONS)
        of_many = best({"ours": cpu_of(running.platform, listing, calls)}, rounds)["ours"]
    return [
        Row(
            f"a page of {_SESSIONS} sessions, CPU",
            "ms",
            ours=1e3 * found["ours"],
            floor=1e3 * found["floor"],
            note=f"Of {_SESSIONS} sessions; of {_MANY} it is {1e3 * of_many:.2f} ms.",
        )
    ]


def _open_sessions(url: str, key: str, count: int) -> None:
    Load(f"{url}/api/sessions", dict, token=key)(count)
