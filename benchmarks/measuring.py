"""Rounds that alternate between what is compared, so that a busy moment of the machine hits all of it."""

import statistics
import time
from collections.abc import Callable, Mapping

from benchmarks.load import Load
from benchmarks.processes import Child

Measures = Mapping[str, Callable[[], float]]


def best(measures: Measures, rounds: int) -> dict[str, float]:
    """The least of each: for CPU time, to which other programs can only add."""
    return {name: min(taken) for name, taken in _alternate(measures, rounds).items()}


def medians(measures: Measures, rounds: int) -> dict[str, float]:
    """The median of each: for time on the clock."""
    return {name: statistics.median(taken) for name, taken in _alternate(measures, rounds).items()}


def worst_of_hundred(measures: Measures, rounds: int) -> dict[str, float]:
    """The 99th percentile of each: for time on the clock. On a busy machine it is the machine's, too."""
    return {
        name: statistics.quantiles(taken, n=100, method="inclusive")[98]
        for name, taken in _alternate(measures, rounds).items()
    }


def _alternate(measures: Measures, rounds: int) -> dict[str, list[float]]:
    """A round runs every measure once, in turn."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    return taken


def cpu_of(child: Child, load: Load, calls: int) -> Callable[[], float]:
    """A measure: CPU seconds that `child` uses per call. Warms it up here and now."""
    return _per_call(child.cpu_seconds, load, calls)


def cpu_beside_loop_of(child: Child, load: Load, calls: int) -> Callable[[], float]:
    """As `cpu_of`, of the threads beside the event loop: those of the database."""
    return _per_call(child.cpu_seconds_beside_main, load, calls)


def _per_call(clock: Callable[[], float], load: Load, calls: int) -> Callable[[], float]:
    load(calls)

    def measure() -> float:
        before = clock()
        load(calls)
        return (clock() - before) / calls

    return measure


def timed(act: Callable[[], object]) -> Callable[[], float]:
    """A measure: seconds on the clock of one call. Warms up here and now."""
    for _ in range(5):
        act()

    def measure() -> float:
        start = time.perf_counter()
        act()
        return time.perf_counter() - start

    return measure
