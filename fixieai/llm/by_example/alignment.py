"""Which words of an actual text stand where words of the example stood.

Two texts are cut into units: tokens that are alike stand for each other, and what differs between
them is a unit too, of any number of words. `wanted` are the tokens of the example that a template
uses. Where something wanted differs, the unit is made as wide as what may belong to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple

from fixieai.llm.by_example.words import ONE, POLITE_WORDS, PREPOSITIONS, Text, Token

_EDGES = frozenset("\"'\u201c\u201d\u2018\u2019.,?!;:")


class Unit(NamedTuple):
    """Tokens `first` to `end` of the example, and `actual_first` to `actual_end` of the other text."""

    first: int
    end: int
    actual_first: int
    actual_end: int


class Wanted(NamedTuple):
    """Tokens of an example that are used elsewhere.

    `growing` are those beside which further words belong to them too: a name may get a second
    word, and an expression another operand. A lone number does not grow.
    """

    tokens: frozenset[int]
    growing: frozenset[int]


NOTHING_WANTED = Wanted(frozenset(), frozenset())


@dataclass(slots=True)
class Alignment:
    """`unit_of[i]` is the unit of the example's token i, or None where nothing stands for it.

    `extra` are tokens of the actual text that stand for nothing.
    """

    example: Text
    actual: Text
    wanted: Wanted
    units: list[Unit]
    extra: list[int]
    unit_of: list[Unit | None] = field(init=False)

    def __post_init__(self) -> None:
        self.unit_of = [None] * len(self.example.tokens)
        for unit in self.units:
            for position in range(unit.first, unit.end):
                self.unit_of[position] = unit

    @property
    def is_same(self) -> bool:
        return self.example.raw == self.actual.raw

    def is_changed(self, unit: Unit) -> bool:
        mine = self.example.tokens[unit.first : unit.end]
        other = self.actual.tokens[unit.actual_first : unit.actual_end]
        return len(mine) != len(other) or any(a.key != b.key for a, b in zip(mine, other, strict=True))

    def is_alike(self, unit: Unit) -> bool:
        """One token stands for one that is like it: the texts agree here."""
        return (
            unit.end - unit.first == 1
            and unit.actual_end - unit.actual_first == 1
            and self.example.tokens[unit.first].like == self.actual.tokens[unit.actual_first].like
        )


def align(example: Text, actual: Text, wanted: Wanted = NOTHING_WANTED) -> Alignment:
    aligner = _Aligner(example.tokens, actual.tokens, wanted)
    for tag, first, end, actual_first, actual_end in SequenceMatcher(
        None, example.likes, actual.likes, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            aligner.add_alike(first, actual_first, end - first)
        elif tag == "replace":
            aligner.add_replaced(Unit(first, end, actual_first, actual_end))
        elif tag == "insert":
            aligner.add_inserted(first, actual_first, actual_end)
    units, extra = aligner.finish()
    return Alignment(example, actual, wanted, units, extra)


class _Aligner:
    def __init__(self, example: Sequence[Token], actual: Sequence[Token], wanted: Wanted) -> None:
        self._example = example
        self._actual = actual
        self._wanted = wanted
        self._units: list[Unit] = []
        self._extra: list[int] = []
        # Words inserted before a wanted token: it is not there yet.
        self._waiting: tuple[int, int] | None = None

    def add_alike(self, first: int, actual_first: int, count: int) -> None:
        for offset in range(count):
            unit = Unit(first + offset, first + offset + 1, actual_first + offset, actual_first + offset + 1)
            if self._waiting is not None and offset == 0:
                unit = unit._replace(actual_first=self._waiting[0])
                self._waiting = None
            self._units.append(unit)

    def add_replaced(self, unit: Unit) -> None:
        runs = _runs(position for position in range(unit.first, unit.end) if position in self._wanted.tokens)
        if (
            not runs
            and unit.end in self._wanted.growing
            and not _has_content(self._example, unit.first, unit.end)
        ):
            # "that my dog", "I like my tea": what stands for little words belongs to what follows.
            first = unit.actual_first
            while first < unit.actual_end and self._actual[first].key in PREPOSITIONS:
                first += 1
            self._extra += range(unit.actual_first, first)
            self._waiting = (first, unit.actual_end) if first < unit.actual_end else None
        elif self._stands_word_for_word(unit, runs):
            self.add_alike(unit.first, unit.actual_first, unit.end - unit.first)
        elif len(runs) == 1:
            # The rest of what differs are words of the question that this one does without.
            self._units.append(Unit(runs[0][0], runs[0][1], unit.actual_first, unit.actual_end))
        else:
            self._units.append(unit)

    def _stands_word_for_word(self, unit: Unit, runs: list[tuple[int, int]]) -> bool:
        if unit.end - unit.first != unit.actual_end - unit.actual_first:
            return False
        if len(runs) != 1:
            return True
        beside = [
            position for position in range(unit.first, unit.end) if not runs[0][0] <= position < runs[0][1]
        ]
        shift = unit.actual_first - unit.first
        return not any(
            self._example[position].is_content or self._actual[position + shift].is_content
            for position in beside
        )

    def add_inserted(self, before: int, first: int, end: int) -> None:
        last = self._units[-1] if self._units else None
        if last is not None and last.end == before and before - 1 in self._wanted.growing:
            self._units[-1] = last._replace(actual_end=end)
        elif before in self._wanted.growing:
            self._waiting = (first, end)
        else:
            self._extra += range(first, end)

    def finish(self) -> tuple[list[Unit], list[int]]:
        units = []
        for unit in self._units:
            trimmed = (
                self._trim(unit) if self._wanted.tokens.issuperset(range(unit.first, unit.end)) else unit
            )
            self._extra += [*range(unit.actual_first, trimmed.actual_first)]
            self._extra += [*range(trimmed.actual_end, unit.actual_end)]
            if trimmed.actual_first < trimmed.actual_end:
                units.append(trimmed)
        return units, self._extra

    def _trim(self, unit: Unit) -> Unit:
        """Without the words at both ends that hardly belong to what is wanted."""
        mine = self._example[unit.first : unit.end]
        first, end = unit.actual_first, unit.actual_end
        if end - first == 1 and len(mine) == 1 and mine[0].like == self._actual[first].like:
            return unit
        if len(mine) == 1 and mine[0].is_number and unit.first not in self._wanted.growing:
            return self._number(unit)
        is_name = all(token.is_name or token.is_mark for token in mine) and any(
            self._actual[position].is_name for position in range(first, end)
        )
        while first < end and self._is_foreign(first, mine, is_name=is_name):
            first += 1
        if is_name:  # and it ends before the next word that means something but is no name
            words = (position for position in range(first, end) if self._is_plain_word(position))
            end = next(words, end)
        while first < end and self._is_foreign(end - 1, mine, is_name=is_name):
            end -= 1
        if first == end and unit.actual_end - unit.actual_first == 1:  # "Say thanks": it is all there is
            is_word = not self._actual[unit.actual_first].is_mark
            return unit if is_word else unit._replace(actual_end=unit.actual_first)
        return unit._replace(actual_first=first, actual_end=end)

    def _is_plain_word(self, position: int) -> bool:
        token = self._actual[position]
        return token.is_content and not token.is_name and not token.is_mark

    def _is_foreign(self, position: int, mine: Sequence[Token], *, is_name: bool) -> bool:
        token = self._actual[position]
        is_edge = token.text in _EDGES and all(token.text != other.text for other in mine)
        is_beside_name = is_name and not token.is_name and not token.is_mark
        return is_edge or is_beside_name or token.key in POLITE_WORDS

    def _number(self, unit: Unit) -> Unit:
        """The one number among the words, or `a` for 1; nothing if there is none."""
        positions = range(unit.actual_first, unit.actual_end)
        numbers = [position for position in positions if self._actual[position].is_number]
        found = numbers or [position for position in positions if self._actual[position].key in ONE]
        if len(found) != 1:
            return unit._replace(actual_end=unit.actual_first)
        return unit._replace(actual_first=found[0], actual_end=found[0] + 1)


def _has_content(tokens: Sequence[Token], first: int, end: int) -> bool:
    return any(token.is_content for token in tokens[first:end])


def _runs(positions: Iterable[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for position in positions:
        if runs and runs[-1][1] == position:
            runs[-1] = (runs[-1][0], position + 1)
        else:
            runs.append((position, position + 1))
    return runs


def likeness(alignment: Alignment) -> float:
    """From 0 to 1: how much two texts agree, apart from what is wanted of them, which may differ."""
    example, actual = alignment.example.tokens, alignment.actual.tokens
    agreed = mine = other = 0.0
    for unit in alignment.units:
        if alignment.is_alike(unit):
            agreed += weight(example[unit.first])
        elif unit.first in alignment.wanted.tokens:
            mine -= sum(map(weight, example[unit.first : unit.end]))
            other -= sum(map(weight, actual[unit.actual_first : unit.actual_end]))
    total = mine + other + sum(map(weight, example)) + sum(map(weight, actual))
    return 2 * agreed / total if total > 0 else 1.0


def weight(token: Token) -> float:
    if token.is_content:
        return 0.5 if token.is_name else 1.0
    return 0.05 if token.is_mark else 0.25
