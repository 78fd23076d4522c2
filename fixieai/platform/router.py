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


def _similarity(query: frozenset[str], sample: frozenset[str], weights: dict[str, float]) -> float:
    rarest = max(weights.values(), default=1.0)
    shared = sum(weights.get(word, rarest) for word in query & sample)
    every = sum(weights.get(word, rarest) for word in query | sample)
    return shared / every if every else 0.0


def choose(query: str, candidates: Sequence[Samples]) -> str | None:
    """The id of the agent to ask, or None when no sample query is similar enough."""
    samples = [
        [_words(text) for text in (*candidate.queries, candidate.agent_id.rpartition("/")[2])]
        for candidate in candidates
    ]
    weights = _weights(samples)
    words = _words(query)
    scored = [
        (max(_similarity(words, sample, weights) for sample in agent_samples), candidate.agent_id)
        for agent_samples, candidate in zip(samples, candidates, strict=True)
    ]
    score, agent_id = max(scored, default=(0.0, ""), key=lambda pair: pair[0])
    return agent_id if score >= _LEAST_SIMILARITY else None
