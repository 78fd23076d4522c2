"""A line of an example as its text with holes: which of its words come from where.

A template is made once, from the example alone: its words are looked for in the question and in
the replies that were known when the line was written. `filling` puts other words in.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fixieai.llm.by_example import arithmetic, lists
from fixieai.llm.by_example.alignment import Wanted
from fixieai.llm.by_example.words import Text, Token, read, same_person

QUESTION = 0
# A word that is repeated more often than that is no value; trying all its places takes long.
_PLACES_TRIED = 16
_JSON_KEY = re.compile(r'"[^"\\]*"(?=\s*:)')


class Sources(NamedTuple):
    """What a line was written from. `texts[QUESTION]` is the question; the others are positions in `texts`.

    `earlier` are the question and the replies of the exchange before. What is in none was not known yet.
    """

    texts: tuple[Text, ...]
    replies: tuple[int, ...]
    earlier: tuple[int, ...]


class Run(NamedTuple):
    """`length` tokens of the target, from `position`, are those of a source, from `first`."""

    source: int
    first: int
    position: int
    length: int
    is_whole: bool


class Items(NamedTuple):
    """A part of the target shows all items of a source."""

    source: int
    found: lists.ItemsFound


class Number(NamedTuple):
    """The token at `position` of the target was computed."""

    position: int
    computation: arithmetic.Computation | arithmetic.ItemCount


@dataclass(slots=True)
class Template:
    """One line of an example. `unexplained` are positions of tokens that come from nowhere."""

    target: Text
    sources: Sources
    is_answer: bool
    runs: list[Run] = field(default_factory=list)
    items: list[Items] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    unexplained: list[int] = field(default_factory=list)

    @property
    def is_json(self) -> bool:
        return self.target.raw.startswith(("{", "["))

    @property
    def is_question(self) -> bool:
        """The line is the question itself."""
        return any(run.is_whole and run.source == QUESTION for run in self.runs)

    def uses(self, source: int) -> bool:
        used = [run.source for run in self.runs] + [items.source for items in self.items]
        return source in used or any(source in number.computation.sources for number in self.numbers)

    def wanted(self, source: int) -> Wanted:
        """The tokens of a source that this line shows. Beside a lone number nothing else is shown."""
        tokens = self.sources.texts[source].tokens
        shown = [
            (position, run.length > 1 or not tokens[position].is_number)
            for run in self.runs
            if run.source == source and not run.is_whole
            for position in range(run.first, run.first + run.length)
        ]
        return Wanted(
            frozenset(position for position, _ in shown),
            frozenset(position for position, may in shown if may),
        )


def make(target: str, sources: Sources, *, is_answer: bool) -> Template:
    template = Template(read(target), sources, is_answer)
    _Maker(template).make()
    return template


class _Maker:
    """Claims the tokens of a target, those that say most about where they come from first."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._target = template.target
        self._claimed = [False] * len(self._target.tokens)
        if template.is_json:  # its quotes and keys are its own, whatever words the question has
            keys = [match.span() for match in _JSON_KEY.finditer(template.target.raw)]
            self._claimed = [
                token.text == '"' or any(first <= token.start < end for first, end in keys)
                for token in self._target.tokens
            ]
        texts, replies, _ = template.sources
        self._said = {token.text for reply in replies for token in texts[reply].tokens}
        # What was said last comes first.
        self._order = [*reversed(template.sources.replies), QUESTION, *template.sources.earlier]

    def make(self) -> None:
        self._claim_runs(range(len(self._claimed)), only_whole=True)
        self._claim_items()
        self._claim_runs(range(len(self._claimed)))
        self._claim_numbers()
        self._template.unexplained += [position for position, taken in enumerate(self._claimed) if not taken]

    def _claim_runs(self, positions: Iterable[int], *, only_whole: bool = False) -> None:
        for position in positions:
            if self._claimed[position]:
                continue
            found = [run for source in self._order for run in self._runs_at(source, position)]
            if only_whole:
                found = [run for run in found if run.is_whole and (run.length > 1 or self._is_value(run))]
            if found:
                longest = max(found, key=lambda run: run.length)
                self._template.runs.append(longest)
                self._claim(longest.position, longest.position + longest.length)

    def _runs_at(self, source: int, position: int) -> Iterable[Run]:
        """Runs that begin here. Words that say nothing are no run; nor is one number of a list of them.

        A stop word may be all that a reply says, or what the question is about. Then it is a run too,
        but not where the line needs it as a word of its own: "It said: it".
        """
        text = self._template.sources.texts[source]
        key = same_person(self._target.tokens[position].key)
        for first in self._places(text, key):
            token = text.tokens[first]
            count = self._common(text, first, position)
            shown = text.tokens[first : first + count]
            is_whole = self._is_whole(source, first, position, count)
            if not any(token.is_content for token in shown) and (source == QUESTION or not is_whole):
                continue
            if all(token.is_little for token in shown) and not self._is_best_place(shown, position):
                continue
            if count == 1 and token.is_number and text.is_numbers and len(text.numbers) > 1:
                continue
            yield Run(source, first, position, count, is_whole)

    def _places(self, text: Text, key: str) -> Sequence[int]:
        """Where a word is in a source: of words, the last place first, as in "Say say"."""
        places = text.positions.get(key, [])
        if places and text.tokens[places[0]].is_number:
            return places[:_PLACES_TRIED]
        return places[: -_PLACES_TRIED - 1 : -1]

    def _is_best_place(self, shown: Sequence[Token], position: int) -> bool:
        """Written as in the source; or nowhere in the line is it written so, nor said by a reply."""
        mine = self._target.tokens[position : position + len(shown)]
        if any(token.is_mark for token in shown[:1]) or any(
            token.key != other.key for token, other in zip(mine, shown, strict=True)
        ):
            return False
        return mine[0].text == shown[0].text or not any(
            token.text == shown[0].text or (token.key == shown[0].key and claimed)
            for token, claimed in zip(self._target.tokens, self._claimed, strict=True)
        )

    def _is_value(self, run: Run) -> bool:
        """A reply of one word stands here, rather than words of the question of which it is one.

        Where all its places could be the question's, they are the reply's: it was said last.
        """
        if run.source == QUESTION or run.source not in self._template.sources.replies:
            return False
        key = self._target.tokens[run.position].key
        places = [position for position, token in enumerate(self._target.tokens) if token.key == key]
        return not self._is_in_question(run.position) or all(map(self._is_in_question, places))

    def _is_in_question(self, position: int) -> bool:
        """With the word before or after it, and not in the spelling of a reply."""
        question, target = self._template.sources.texts[QUESTION], self._target.tokens
        for place in question.positions.get(same_person(target[position].key), ()):
            for step in (-1, 1):
                beside, other = position + step, place + step
                if (
                    0 <= beside < len(target)
                    and 0 <= other < len(question.tokens)
                    and target[beside].key == question.tokens[other].key
                    and not self._is_spelled_by_reply(target[position], question.tokens[place])
                ):
                    return True
        return False

    def _is_spelled_by_reply(self, target: Token, asked: Token) -> bool:
        """HELLO, where the question has hello and a reply HELLO."""
        return target.key == asked.key and target.text != asked.text and target.text in self._said

    def _common(self, text: Text, first: int, position: int) -> int:
        count = 0
        is_question = text is self._template.sources.texts[QUESTION]
        for mine, other in zip(
            range(position, len(self._target.tokens)), range(first, len(text.tokens)), strict=False
        ):
            target, source = self._target.tokens[mine], text.tokens[other]
            if self._claimed[mine] or same_person(target.key) != same_person(source.key):
                break
            if is_question and source.is_content and self._is_spelled_by_reply(target, source):
                break
            count += 1
        return count

    def _claim_items(self) -> None:
        for source in self._order:
            found = lists.find(self._template.sources.texts[source], self._target.raw)
            if found is None or (source == QUESTION and found.splitting != "series"):
                continue
            inside = [
                position
                for position, token in enumerate(self._target.tokens)
                if token.start >= found.start and token.end <= found.end
            ]
            if inside and not any(self._claimed[position] for position in inside):
                self._template.items.append(Items(source, found))
                self._claim(inside[0], inside[-1] + 1)

    def _claim_numbers(self) -> None:
        texts, replies, _ = self._template.sources
        for position, token in enumerate(self._target.tokens):
            if self._claimed[position] or not token.is_number:
                continue
            computation = self._item_count(token) or arithmetic.find(self._target, position, texts, replies)
            if computation is not None:
                self._template.numbers.append(Number(position, computation))
                self._claim(position, position + 1)

    def _item_count(self, token: Token) -> arithmetic.ItemCount | None:
        for source, found in self._template.items:
            count = arithmetic.ItemCount(source, found.splitting)
            if found.splitting != "series" and count.result(self._template.sources.texts) == token.key:
                return count
        return None

    def _claim(self, first: int, end: int) -> None:
        self._claimed[first:end] = [True] * (end - first)

    def _is_whole(self, source: int, first: int, position: int, count: int) -> bool:
        """All of a source but marks at its end. A question is whole only where it is passed on literally."""
        text = self._template.sources.texts[source]
        if first > 0 or not all(token.is_mark for token in text.tokens[count:]):
            return False
        shown = self._target.tokens[position : position + count]
        is_literal = all(mine.key == other.key for mine, other in zip(shown, text.tokens, strict=False))
        return is_literal if source != QUESTION else is_literal and not self._template.is_answer
