"""How like an example's question another question is, and whether the same steps can answer it.

What the example uses of its question (a city, a number) may differ. Any other difference that
means something is one that its steps would not notice: then it is not the same question.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fixieai.llm.by_example import lists
from fixieai.llm.by_example.alignment import Alignment, Unit, Wanted, weight
from fixieai.llm.by_example.words import EMBED, NUMBER, ONE, Text, Token

LIKE_ENOUGH = 0.5
# What is used differs from question to question: it says little about how like two questions are.
_USED_WORD = 0.35
_USED_NAME = 0.1
_FRAME_KEPT = 0.75
_NEGATIONS = frozenset(("not", "no", "never", "nor", "none", "without", "except", "instead", "cannot", "don"))
# "Forget everything" is no example of how to forget one thing.
_NOT_REPLACEABLE = frozenset(("all", "anything", "everybody", "everyone", "everything", "nothing"))


@dataclass(frozen=True, slots=True)
class Pattern:
    """An example's question as a pattern for others.

    `parts` are stretches of tokens that its steps use, each of which has to be there. `is_passed_on`:
    a step asks the question itself, so all of it is used. `answers_itself`: nothing is asked, and the
    answer repeats what the question says. `kept` are tokens that its lines have too, whatever is asked.
    `takes_series`: a list of numbers may be longer or shorter.
    """

    question: Text
    wanted: Wanted
    parts: tuple[range, ...]
    is_passed_on: bool
    has_steps: bool
    answers_itself: bool
    kept: frozenset[int]
    takes_series: bool
    weights: tuple[float, ...] = field(init=False)
    telling: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        weights = tuple(self._weight(position, token) for position, token in enumerate(self.question.tokens))
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "telling", self._telling())

    def _telling(self) -> tuple[int, ...]:
        """The words that say what is asked: those not used, or else those beside a name that is."""
        words = [
            position
            for position, token in enumerate(self.question.tokens)
            if token.is_content and not self._is_name(position)
        ]
        unused = [position for position in words if position not in self.wanted.tokens]
        with_name = [part for part in self.parts if any(map(self._is_name, part))]
        return tuple(
            unused or [position for position in words if any(position in part for part in with_name)]
        )

    def _is_name(self, position: int) -> bool:
        token = self.question.tokens[position]
        return token.is_name and (position > 0 or token.like in (NUMBER, EMBED) or _is_acronym(token))

    def score(self, alignment: Alignment) -> float | None:
        """From 0 to 1, or None when it is another question."""
        if alignment.is_same:
            return 1.0
        agreed = self._agreed(alignment)
        extra = self._extra(alignment)
        if (
            agreed is None
            or not self._has_all_parts(alignment)
            or not self._is_about_the_same(alignment, extra)
        ):
            return None
        total = agreed + sum(map(weight, extra)) + sum(self.weights)
        score = 2 * agreed / total if total else 0.0
        if score < LIKE_ENOUGH or not (self.has_steps or self._may_answer_itself(alignment)):
            return None
        return score

    def _weight(self, position: int, token: Token) -> float:
        is_name = self._is_name(position)
        if position in self.wanted.tokens or (self.is_passed_on and is_name):
            return _USED_NAME if is_name or not token.is_content else _USED_WORD
        return weight(token) if is_name or not token.is_content else 1.0

    def _agreed(self, alignment: Alignment) -> float | None:
        """The weight of what is the same or stands for what is used; None if a word means something else."""
        agreed = 0.0
        for unit in alignment.units:
            mine, other = self.question.tokens[unit.first : unit.end], self._other(alignment, unit)
            is_used = unit.first in self.wanted.tokens
            if alignment.is_alike(unit) or (
                is_used and (_may_stand_for(mine, other) or self._is_all_that_differs(alignment, unit))
            ):
                agreed += sum(self.weights[unit.first : unit.end])
            elif is_used or (_has_content(other) and self._means_something(unit)):
                return None
        return agreed

    def _means_something(self, unit: Unit) -> bool:
        """Another word in its place makes another question."""
        is_kept = not self.kept.isdisjoint(range(unit.first, unit.end))
        return is_kept or (
            _has_content(self.question.tokens[unit.first : unit.end]) and not self.is_passed_on
        )

    def _is_all_that_differs(self, alignment: Alignment, unit: Unit) -> bool:
        """Where all else is the same, any word is what is asked about: "Say hello" like "Say Fred"."""
        mine, other = self.question.tokens[unit.first : unit.end], self._other(alignment, unit)
        own = _without_marks(self.question.tokens, unit.first, unit.end)
        rest = _without_marks(alignment.actual.tokens, unit.actual_first, unit.actual_end)
        return (
            not any(token.like in (NUMBER, EMBED) or token.key in _NOT_REPLACEABLE for token in mine)
            and not all(token.is_mark for token in other)
            and _has_content(own)
            and [token.like for token in own] == [token.like for token in rest]
        )

    def _is_about_the_same(self, alignment: Alignment, extra: Sequence[Token]) -> bool:
        """A word that says what is asked is the same. Where the example has none, nothing else is asked.

        A further number or a "not" always means something; so do more words than are the same.
        """
        told = [unit for position in self.telling if (unit := alignment.unit_of[position]) is not None]
        same = sum(alignment.is_alike(unit) for unit in told)
        if self.is_passed_on:
            return same > 0 or not self.telling
        if any(token.like in (NUMBER, EMBED) or token.key in _NEGATIONS for token in extra):
            return False
        unknown = sum(token.is_content for token in extra)
        if not self.telling:
            return unknown == 0 and self._frame_is_kept(alignment)
        return same > 0 and unknown <= (0 if self._is_loose(alignment) else max(1, same))

    def _frame_is_kept(self, alignment: Alignment) -> bool:
        """Of the words around what is used, that say little each, nearly all are the same."""
        frame = [
            alignment.unit_of[position]
            for position, token in enumerate(self.question.tokens)
            if position not in self.wanted.tokens and not token.is_mark and not token.is_number
        ]
        kept = sum(unit is not None and alignment.is_alike(unit) for unit in frame)
        return kept >= _FRAME_KEPT * len(frame)

    def _is_loose(self, alignment: Alignment) -> bool:
        """Common words stand for a name, and not even the word before it is the same: perhaps they do not."""
        return any(
            not alignment.is_alike(unit)
            and unit.first in self.wanted.tokens
            and self._is_name(unit.first)
            and not any(token.is_name for token in self._other(alignment, unit))
            and unit.first > 0
            and alignment.unit_of[unit.first - 1] is None
            for unit in alignment.units
        )

    def _other(self, alignment: Alignment, unit: Unit) -> Sequence[Token]:
        return alignment.actual.tokens[unit.actual_first : unit.actual_end]

    def _extra(self, alignment: Alignment) -> list[Token]:
        """What stands for nothing in the example."""
        extra = set(alignment.extra)
        for unit in alignment.units:
            if unit.first not in self.wanted.tokens and not alignment.is_alike(unit):
                extra.update(range(unit.actual_first, unit.actual_end))
        if self.takes_series:
            extra.difference_update(range(*lists.series(alignment.actual)))
        return [alignment.actual.tokens[position] for position in extra]

    def _has_all_parts(self, alignment: Alignment) -> bool:
        first, end = lists.series(self.question) if self.takes_series else (0, 0)
        return all(
            any(
                alignment.unit_of[position] is not None
                for position in part
                if self.question.tokens[position].is_content
            )
            for part in self.parts
            if not (first <= part.start and part.stop <= end)
        )

    def _may_answer_itself(self, alignment: Alignment) -> bool:
        """Whether an answer that no func gave is still true: it repeats the question, or that is the same."""
        if self.answers_itself:
            return True
        actual = alignment.actual.tokens
        gone = [position for position, unit in enumerate(alignment.unit_of) if unit is None]
        changed = [unit for unit in alignment.units if alignment.is_changed(unit)]
        return not (
            _has_content([self.question.tokens[position] for position in gone])
            or _has_content([actual[position] for position in alignment.extra])
            or any(
                _has_content(self.question.tokens[unit.first : unit.end])
                or _has_content(actual[unit.actual_first : unit.actual_end])
                for unit in changed
            )
        )


def _is_acronym(token: Token) -> bool:
    return token.text.isupper() and len(token.text) > 1


def _has_content(tokens: Sequence[Token]) -> bool:
    return any(token.is_content for token in tokens)


def _without_marks(tokens: Sequence[Token], first: int, end: int) -> list[Token]:
    """The words before `first` and from `end` on."""
    return [token for token in (*tokens[:first], *tokens[end:]) if not token.is_mark]


def _may_stand_for(mine: Sequence[Token], other: Sequence[Token]) -> bool:
    """A number wants a number in its place, and a word that means something another such word."""
    if any(token.key in _NOT_REPLACEABLE for token in mine):
        return False
    meaning = [token for token in mine if token.is_content]
    if meaning and all(token.is_number for token in meaning):
        return any(token.is_number or token.key in ONE for token in other)
    return _has_content(other) or not meaning
