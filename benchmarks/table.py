"""The rows of the table, and the table as text."""

from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = ("what", "floor", "ours", "ratio", "budget", "verdict")


@dataclass(frozen=True)
class Row:
    """One figure. `floor`, `ours` and `budget` are in `unit`; `ours` is None where it was not measured."""

    what: str
    unit: str
    ours: float | None
    floor: float | None = None
    budget: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.ours is None or not self.floor else self.ours / self.floor

    @property
    def verdict(self) -> str:
        if self.ours is None:
            return "not measured"
        if self.budget is None:
            return ""
        return "within" if self.ours <= self.budget else "OVER"

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.1f}"
        figures = (self._figure(self.floor), self._figure(self.ours), ratio, self._figure(self.budget))
        return (self.what, *figures, self.verdict)

    def _figure(self, value: float | None) -> str:
        if value is None:
            return ""
        digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2
        return f"{value:.{digits}f} {self.unit}".rstrip()


def render(rows: Sequence[Row]) -> str:
    """Columns as wide as their widest cell; notes below, numbered."""
    notes = [row.note for row in rows if row.note]
    lines = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    texts = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    ]
    texts.insert(1, "-|-".join("-" * width for width in widths))
    for row in rows:
        if row.note:
            position = 2 + rows.index(row)
            texts[position] = f"{texts[position]} [{notes.index(row.note) + 1}]"
    return "\n".join([*texts, *(f"[{number}] {note}" for number, note in enumerate(notes, start=1))])
