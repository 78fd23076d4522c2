"""Which agent answers a query that names none: the one whose sample queries are most like it.

A lexical match: words weighted by how few agents use them (inverse document frequency), each
agent scored by its best sample query. Words that stand in the agent's handle count as a sample.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

from fixieai.storage.agents import Samples

_WORD = re.compile(r"[^\W\d_]+|\d+")
_NUMBER = "<number>"
# Below this share of the query's weight found in a sample query, no agent is chosen.
_LEAST_SIMILARITY = 0.25


def _words(text: str) -> frozenset[str]:
    return frozenset(_NUMBER if word.isdigit() else word for word in _WORD.findall(text.lower()))


def _weights(samples: Sequence[list[frozenset[str]]]) -> dict[str, float]:
    uses = Counter(word for sample_words in samples for word in frozenset().union(*sample_words))
    return {word: math.log(1 + len(samples) / count) for word, count in uses.items()}


class _Question:
    """What is asked, weighed once however many samples it is compared with: it may have 100,000 words."""

    def __init__(self, text: str, weights: dict[str, float]) -> None:
        self._words = _words(text)
        self._weights = weights
        self._rarest = max(weights.values(), default=1.0)
        self._weight = self._weight_of(self._words)

    def similarity(self, sample: frozenset[str]) -> float:
        shared = self._weight_of(self._words & sample)
        every = self._weight + self._weight_of(sample - self._words)
        return shared / every if every else 0.0

    def _weight_of(self, words: frozenset[str]) -> float:
        return sum(self._weights.get(word, self._rarest) for word in words)


def choose(query: str, candidates: Sequence[Samples]) -> str | None:
    """The id of the agent to ask, or None when no sample query is similar enough."""
    samples = [
        [_words(text) for text in (*candidate.queries, candidate.agent_id.rpartition("/")[2])]
        for candidate in candidates
    ]
    question = _Question(query, _weights(samples))
    scored = [
        (max(map(question.similarity, agent_samples)), candidate.agent_id)
        for agent_samples, candidate in zip(samples, candidates, strict=True)
    ]
    score, agent_id = max(scored, default=(0.0, ""), key=lambda pair: pair[0])
    return agent_id if score >= _LEAST_SIMILARITY else None
