"""The rows of the table by name, in its order."""

from collections.abc import Callable, Mapping

from benchmarks.rows import (
    durable,
    first_token,
    func,
    graphql,
    imports,
    install,
    latency,
    listing,
    load,
    memory,
    query,
    recovery,
    start,
    turn,
    written,
)
from benchmarks.table import Row

ROWS: Mapping[str, Callable[[bool], list[Row]]] = {
    "query": query.measure,
    "durable": durable.measure,
    "recovery": recovery.measure,
    "func": func.measure,
    "turn": turn.measure,
    "listing": listing.measure,
    "graphql": graphql.measure,
    "imports": imports.measure,
    "start": start.measure,
    "written": written.measure,
    "memory": memory.measure,
    "install": install.measure,
    "latency": latency.measure,
    "first_token": first_token.measure,
}

# Those that take minutes are measured when they are named.
ON_DEMAND: Mapping[str, Callable[[bool], list[Row]]] = {"load": load.measure}
