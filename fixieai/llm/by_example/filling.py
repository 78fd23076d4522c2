"""A template with the words of other texts in its holes.

Where nothing says what stands in the place of something, it is not filled: no answer is better
than a wrong one.
"""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from fixieai.llm.by_example import lists, words
from fixieai.llm.by_example.alignment import Alignment, Unit, likeness
from fixieai.llm.by_example.templates import QUESTION, Items, Number, Run, Template
from fixieai.llm.by_example.words import Text, Token

_TOO_DIFFERENT = 0.34
_MAXIMUM_GROWTH = 4
_EXTRA_WORDS = 6
_QUOTES = frozenset("\"'\u201c\u201d\u2018\u2019")


class CannotFill(Exception):
    """Nothing says what stands here now."""


class _Hole(NamedTuple):
    start: int
    end: int
    text: str


def fill(template: Template, alignments: Sequence[Alignment | None]) -> str:
    """The line for other sources, in the order of `template.sources.texts`; None: there is no such source.

    Raises:
        CannotFill: what stands in the place of something cannot be told.
    """
    filler = _Filler(template, alignments)
    return filler.text()


class _Filler:
    def __init__(self, template: Template, alignments: Sequence[Alignment | None]) -> None:
        self._template = template
        self._target = template.target
        self._alignments = alignments

    def text(self) -> str:
        holes = [hole for run in self._template.runs for hole in self._run(run)]
        holes += [self._items(items) for items in self._template.items]
        holes += [self._number(number) for number in self._template.numbers]
        text, end = "", 0
        for hole in sorted(holes):
            said = json.dumps(hole.text, ensure_ascii=False)[1:-1] if self._template.is_json else hole.text
            text += self._target.raw[end : hole.start] + said
            end = hole.end
        return text + self._target.raw[end:]

    def _alignment(self, source: int) -> Alignment:
        alignment = self._alignments[source]
        if alignment is None:
            raise CannotFill
        return alignment

    def _hole(self, position: int, count: int, text: str) -> _Hole:
        tokens = self._target.tokens
        return _Hole(tokens[position].start, tokens[position + count - 1].end, text)

    def _items(self, items: Items) -> _Hole:
        alignment = self._alignment(items.source)
        text = items.found.shown(alignment.actual)
        _check_kind(alignment)
        if text is None or (items.source != QUESTION and self._has_grown(alignment)):
            raise CannotFill
        return _Hole(items.found.start, items.found.end, text)

    def _number(self, number: Number) -> _Hole:
        computation = number.computation
        for source in computation.sources:
            _check_kind(self._alignment(source))
        text = computation.result(
            [None if alignment is None else alignment.actual for alignment in self._alignments]
        )
        if text is None:
            raise CannotFill
        return self._hole(number.position, 1, text)

    def _has_grown(self, alignment: Alignment) -> bool:
        """What was a word or two in the example is a speech now, and the question is none.

        Marks are not counted: markup and code have many.
        """
        example, actual = alignment.example, alignment.actual
        is_error = actual.raw.casefold().startswith("error") and not example.raw.casefold().startswith(
            "error"
        )
        question = self._alignment(QUESTION)
        longer = max(0, question.actual.word_count - question.example.word_count)
        most = _MAXIMUM_GROWTH * example.word_count + _EXTRA_WORDS + longer
        return is_error or actual.word_count > most or not actual.tokens

    def _run(self, run: Run) -> Iterator[_Hole]:
        alignment = self._alignment(run.source)
        if alignment.is_same:
            return
        if run.is_whole:
            yield self._hole(run.position, run.length, self._whole(run, alignment))
            return
        if run.source != QUESTION and likeness(alignment) < _TOO_DIFFERENT:
            raise CannotFill
        first, end = run.first, run.first + run.length
        while first < end:
            units = _changed_units(alignment, first, end)
            if units:
                yield self._changed(run, alignment, units)
            elif alignment.unit_of[first] is None:
                yield from self._gone(run, alignment, first)
            first = units[-1].end if units else first + 1

    def _gone(self, run: Run, alignment: Alignment, first: int) -> Iterator[_Hole]:
        """A word that nothing stands for. If it was used in a question, it goes away here too."""
        if run.source != QUESTION and alignment.example.tokens[first].is_content:
            raise CannotFill
        if first in alignment.wanted.tokens:
            token = self._target.tokens[run.position + first - run.first]
            before = self._target.raw[: token.start].rstrip(" ")
            yield _Hole(len(before), token.end, "")

    def _changed(self, run: Run, alignment: Alignment, units: list[Unit]) -> _Hole:
        first, end = units[0].first, units[-1].end
        position, count = run.position + first - run.first, end - first
        example = alignment.example.tokens[first:end]
        actual = alignment.actual.tokens[units[0].actual_first : units[-1].actual_end]
        if count == 1 and len(actual) == 1 and example[0].is_number:
            text = _number(example[0], self._target.tokens[position], actual[0])
        else:
            text = alignment.actual.between(units[0].actual_first, units[-1].actual_end)
            text = words.in_case_of_names(text, example)
            shown = self._target.between(position, position + count)
            text = words.in_case_of(text, alignment.example.between(first, end), shown)
            text = self._in_person(run, alignment.example, text)
        return self._hole(position, count, text)

    def _in_person(self, run: Run, example: Text, text: str) -> str:
        """As the line turns my into your, or back. An answer does so unless its example shows otherwise."""
        tokens = example.tokens[run.first : run.first + run.length]
        turned = self._target.tokens[run.position : run.position + run.length]
        swapped = [mine for mine, other in zip(tokens, turned, strict=True) if mine.key != other.key]
        if swapped:
            return words.in_other_person(text, to_second=words.is_first_person(swapped[0].key))
        is_kept = any(words.is_first_person(token.key) for token in tokens)
        is_quoted = any(token.text in _QUOTES for token in turned) or self._follows_quote(run.position)
        if run.source != QUESTION or is_kept or is_quoted or not self._template.is_answer:
            return text
        return words.in_other_person(text, to_second=True)

    def _follows_quote(self, position: int) -> bool:
        return position > 0 and self._target.tokens[position - 1].text in _QUOTES

    def _whole(self, run: Run, alignment: Alignment) -> str:
        example, actual = alignment.example, alignment.actual
        text = actual.raw
        if run.source != QUESTION:
            _check_kind(alignment)
            if run.length < len(self._target.tokens) and self._has_grown(alignment):
                raise CannotFill
            if len(example.tokens) == 1 and len(actual.tokens) == 1 and example.is_numbers:
                return _number(example.tokens[0], self._target.tokens[run.position], actual.tokens[0])
            if len(example.tokens) == 1 and example.is_numbers:
                return lists.join([token.text for token in actual.tokens if token.is_number], ", ", ", and ")
        if run.length < len(example.tokens) or run.position + run.length < len(self._target.tokens):
            text = text.rstrip(".!?") or text
        shown = self._target.between(run.position, run.position + run.length)
        return words.in_case_of(text, example.between(0, run.length), shown)


def _changed_units(alignment: Alignment, first: int, end: int) -> list[Unit]:
    """Units from token `first` on that differ and follow each other in both texts."""
    units: list[Unit] = []
    while first < end:
        unit = alignment.unit_of[first]
        if unit is None or not alignment.is_changed(unit):
            break
        if unit.first != first or unit.end > end:
            raise CannotFill
        if units and unit.actual_first != units[-1].actual_end:
            break
        units.append(unit)
        first = unit.end
    return units


def _number(example: Token, target: Token, actual: Token) -> str:
    """One number for another. Where the target has the example's in another format, in that format."""
    key = "1" if actual.key in words.ONE else actual.key
    if target.text[-1].isalpha():
        return actual.text
    if target.text != example.text:
        return words.number_in_format_of(Decimal(key), target.text)
    return key if actual.text[-1].isalpha() else actual.text


def _check_kind(alignment: Alignment) -> None:
    """A reply without a number or an embed where the example has one is something else: an error, mostly."""
    example, actual = alignment.example, alignment.actual
    if example.is_numbers and not actual.is_numbers:
        raise CannotFill
    if any(token.like == words.EMBED for token in example.tokens) and words.EMBED not in actual.likes:
        raise CannotFill
    if not actual.raw:
        raise CannotFill
