"""Words of a question that are what it is about, though they say little elsewhere.

"Say hello" asks for a hello. A stop word says little beside words that say more; where a line of
the example repeats it on its own, it is what was asked for: content like any name.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from fixieai.llm.by_example.templates import QUESTION, Template
from fixieai.llm.by_example.words import Text, Token

_LABEL_ENDS = frozenset(":=")
_QUOTES = frozenset("\"'\u201c\u201d\u2018\u2019")


def mark(
    texts: Sequence[Text], questions: Sequence[int], asks: Sequence[Template], answer: Template
) -> list[Text]:
    """The same texts, with the stop words of `questions` (positions in `texts`) that are content marked."""
    marked = list(texts)
    for key in chain(*map(_asked, asks), _answered(answer, texts[QUESTION])):
        for source in questions:
            position = _last(texts[source], key)
            if position is not None:
                marked[source] = marked[source].with_argument(position)
                break
    return marked


def kept(question: Text, lines: Sequence[Template]) -> frozenset[int]:
    """Words of the question that close a phrase of a line and stay in it ("I have said hello").

    Nothing says that they are what is asked about; but where the question has another word that
    means something, the line is not true.
    """
    keys = {
        line.target.tokens[phrase[-1]].key
        for line in lines
        for phrase in _phrases(line.target.tokens)
        if phrase[-1] in line.unexplained
    }
    return frozenset(position for position, token in enumerate(question.tokens) if token.key in keys)


def _asked(ask: Template) -> Iterator[str]:
    """Words of phrases that say nothing of their own: all else in them is from somewhere too."""
    for phrase in _phrases(ask.target.tokens):
        unexplained = [ask.target.tokens[position] for position in phrase if position in ask.unexplained]
        if not any(token.is_content for token in unexplained):
            yield from (token.key for token in unexplained)


def _answered(answer: Template, question: Text) -> Iterator[str]:
    """Words that are phrases ("Hello, Bob!"), if the question has them after one that says what to do."""
    for phrase in _phrases(answer.target.tokens):
        key = answer.target.tokens[phrase[0]].key
        position = _last(question, key)
        if len(phrase) == 1 and phrase[0] in answer.unexplained and position is not None:
            before = [token for token in question.tokens[:position] if token.text not in _QUOTES]
            if before and before[-1].is_content:
                yield key


def _last(text: Text, key: str) -> int | None:
    """Where a word is. What an order is about stands after the order: "Tell tell"."""
    places = (position for position, token in enumerate(text.tokens) if token.key == key)
    return max(places, default=None)


def _phrases(tokens: Sequence[Token]) -> Iterator[range]:
    """Stretches of words between marks, without labels (`to: bob`). An apostrophe in a word is none."""
    first = 0
    for position in range(len(tokens) + 1):
        if position < len(tokens) and not (tokens[position].is_mark and not _is_inside(tokens, position)):
            continue
        if first < position and not _is_label(tokens, position):
            yield range(first, position)
        first = position + 1


def _is_inside(tokens: Sequence[Token], position: int) -> bool:
    if not 0 < position < len(tokens) - 1 or tokens[position].text not in _QUOTES:
        return False
    before, mark_itself, after = tokens[position - 1 : position + 2]
    return (
        before.end == mark_itself.start
        and mark_itself.end == after.start
        and not (before.is_mark or after.is_mark)
    )


def _is_label(tokens: Sequence[Token], end: int) -> bool:
    ending = next((token.text for token in tokens[end:] if token.text not in _QUOTES), "")
    return ending in _LABEL_ENDS
