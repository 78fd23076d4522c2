"""Numbers in the text format that Prometheus reads (version 0.0.4). Not for several threads.

    calls = Counter("fixie_model_calls_total", "Calls to language models.", ("provider", "outcome"))
    calls.add("openai", "answered")
    text = render([calls])

The values of labels are to be few and known beforehand: each combination is kept for ever.
"""

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Seconds: from what a cached answer takes to the limit of a query.
BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Family(Protocol):
    """One name and all numbers under it."""

    def lines(self) -> Iterator[str]: ...


class Counter:
    """Counts up, from 0 at the start of the process."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self._head = _head(name, text, "counter")
        self._name = name
        self._labels = labels
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0}

    def add(self, *values: str, amount: float = 1) -> None:
        """`values` are those of the labels, in their order."""
        self._values[values] = self._values.get(values, 0) + amount

    def lines(self) -> Iterator[str]:
        yield from self._head
        for values, number in self._values.items():
            yield _line(self._name, zip(self._labels, values, strict=True), number)


class Gauge:
    """A number that is looked up whenever it is asked for; None: it is not known here."""

    def __init__(
        self, name: str, text: str, read: Callable[[], float | None], labels: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._head = _head(name, text, "counter" if name.endswith("_total") else "gauge")
        self._name = name
        self._read = read
        self._labels = labels

    def lines(self) -> Iterator[str]:
        number = self._read()
        if number is not None:
            yield from self._head
            yield _line(self._name, self._labels, number)


class Histogram:
    """How often something took how many seconds."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self._head = _head(name, text, "histogram")
        self._name = name
        self._labels = labels
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, seconds: float, *values: str) -> None:
        """`values` as in `Counter.add`."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(BUCKETS) + 1)
        counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + seconds

    def lines(self) -> Iterator[str]:
        yield from self._head
        for values, counts in self._counts.items():
            labels = list(zip(self._labels, values, strict=True))
            total = 0
            for limit, count in zip((*(f"{bucket:g}" for bucket in BUCKETS), "+Inf"), counts, strict=True):
                total += count
                yield _line(f"{self._name}_bucket", [*labels, ("le", limit)], total)
            yield _line(f"{self._name}_sum", labels, self._sums[values])
            yield _line(f"{self._name}_count", labels, total)


def render(families: Iterable[Family]) -> str:
    return "".join(f"{line}\n" for family in families for line in family.lines())


def _head(name: str, text: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _line(name: str, labels: Iterable[tuple[str, str]], number: float) -> str:
    said = ",".join(f'{label}="{value.translate(_ESCAPES)}"' for label, value in labels)
    return f"{name}{{{said}}} {number:.10g}" if said else f"{name} {number:.10g}"
