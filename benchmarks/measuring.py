"""Rounds that alternate between what is compared, so that a busy moment of the machine hits all of it."""

import statistics
from collections.abc import Callable, Mapping

from benchmarks.load import Load
from benchmarks.processes import Child


def medians(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each over the rounds. A round runs every measure once, in turn."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    return {name: statistics.median(values) for name, values in taken.items()}


def cpu_of(child: Child, load: Load, calls: int) -> Callable[[], float]:
    """A measure: CPU seconds that `child` uses per call. Warms it up here and now."""
    load(calls)

    def measure() -> float:
        before = child.cpu_seconds()
        load(calls)
        return (child.cpu_seconds() - before) / calls

    return measure
