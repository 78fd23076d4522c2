"""Which few-shots are shown when not all fit: those whose questions are most like the person's."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fixieai.protocol.transcript import FewShot, LineKind
from fixieai.query_loop.code_shot import CodeShot

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")
_CHARACTERS_COMPARED = 10_000
_CHARACTERS_OF_A_PREFIX = 20
_PREPARED_AGENTS = 512


@dataclass(frozen=True, slots=True)
class _Index:
    """Of each few-shot: its size in characters, and its words weighted so that the squares sum to 1."""

    sizes: tuple[int, ...]
    word_weights: tuple[Mapping[str, float], ...]
    rarity: Mapping[str, float]


def choose(code_shot: CodeShot, question: str, characters: int) -> tuple[int, ...]:
    """Positions of the few-shots to show, in their own order: all if they fit, and at least one."""
    index = _index(code_shot)
    if sum(index.sizes) <= characters:
        return tuple(range(len(index.sizes)))
    words = _weighted(_words(question), index.rarity)
    likeness = [_dot(words, weights) for weights in index.word_weights]
    best_first = sorted(range(len(likeness)), key=lambda position: (-likeness[position], position))
    chosen, left = [best_first[0]], characters - index.sizes[best_first[0]]
    for position in best_first[1:]:
        if index.sizes[position] <= left:
            chosen.append(position)
            left -= index.sizes[position]
    return tuple(sorted(chosen))


@lru_cache(maxsize=_PREPARED_AGENTS)
def _index(code_shot: CodeShot) -> _Index:
    words = [_words(_questions(few_shot)) for few_shot in code_shot.few_shots]
    shots_with = Counter(word for counted in words for word in counted)
    rarity = {word: math.log(1 + len(words) / count) for word, count in shots_with.items()}
    return _Index(
        sizes=tuple(map(_size, code_shot.few_shots)),
        word_weights=tuple(_weighted(counted, rarity) for counted in words),
        rarity=rarity,
    )


def _questions(few_shot: FewShot) -> str:
    return "\n".join(line.text for line in few_shot if line.kind is LineKind.QUERY)


def _size(few_shot: FewShot) -> int:
    return sum(len(line.text) + len(line.name) + _CHARACTERS_OF_A_PREFIX for line in few_shot)


def _words(text: str) -> Counter[str]:
    """Words in lower case; numbers are alike, so that `d20` is like `d8`."""
    return Counter(_DIGITS.sub("0", word) for word in _WORD.findall(text[:_CHARACTERS_COMPARED].casefold()))


def _weighted(words: Counter[str], rarity: Mapping[str, float]) -> Mapping[str, float]:
    weights = {word: count * rarity[word] for word, count in words.items() if word in rarity}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {word: weight / length for word, weight in weights.items()}


def _dot(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    return sum(weight * right.get(word, 0.0) for word, weight in left.items())
