"""Rounds that alternate between what is compared, so that a busy moment of the machine hits all of it."""

import statistics
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


def _alternate(measures: Measures, rounds: int) -> dict[str, list[float]]:
    """A round runs every measure once, in turn."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    return taken


def cpu_of(child: Child, load: Load, calls: int) -> Callable[[], float]:
    """A measure: CPU seconds that `child` uses per call. Warms it up here and now."""
    load(calls)

    def measure() -> float:
        before = child.cpu_seconds()
        load(calls)
        return (child.cpu_seconds() - before) / calls

    return measure
