"""GraphQL: CPU of the platform's process, for a small query and for a page of 100 sessions."""

from benchmarks import system
from benchmarks.load import Load
from benchmarks.measuring import best, cpu_of
from benchmarks.processes import Child
from benchmarks.table import Row

_SESSIONS = 100
_SMALL = {"query": "query getUsername { user { username } }"}
_PAGE = {
    "query": """query($first: Int!) { sessions(first: $first) {
        nodes { handle name frontendAgentId created modified } pageInfo { hasNextPage endCursor } } }""",
    "variables": {"first": _SESSIONS},
}
_MESSAGES = {
    "query": """query($first: Int!) { sessions(first: $first) {
        nodes { handle messagesPage(first: 4) { nodes { id type text timestamp } } } } }""",
    "variables": {"first": _SESSIONS},
}


def measure(quick: bool) -> list[Row]:
    calls, rounds = (20, 1) if quick else (200, 9)
    with system.running(system.FEW_SHOT) as running, Child("-m", "benchmarks.servers.bare") as bare:
        for _ in range(_SESSIONS):
            running.ask()
        bare_url = bare.address()

        def asking(body: object) -> Load:
            return Load(f"{running.url}/graphql", lambda: body, token=running.key)

        def floor(sessions: int, messages: int = 0) -> Load:
            return Load(f"{bare_url}/sessions/{sessions}/{messages}", lambda: _SMALL)

        found = best(
            {
                "floor_small": cpu_of(bare, floor(0), calls),
                "small": cpu_of(running.platform, asking(_SMALL), calls),
                "floor_page": cpu_of(bare, floor(_SESSIONS), calls),
                "page": cpu_of(running.platform, asking(_PAGE), calls),
                "floor_messages": cpu_of(bare, floor(_SESSIONS, 4), calls // 4),
                "messages": cpu_of(running.platform, asking(_MESSAGES), calls // 4),
            },
            rounds,
        )
    milliseconds = {name: 1e3 * seconds for name, seconds in found.items()}
    names = {
        "small": "a small query of GraphQL, CPU",
        "page": f"a page of {_SESSIONS} sessions by GraphQL, CPU",
        "messages": f"the same with 4 messages of each of the {_SESSIONS}",
    }
    return [
        Row(what, "ms", ours=milliseconds[name], floor=milliseconds[f"floor_{name}"])
        for name, what in names.items()
    ]
