"""All examples of an agent, and what they say next in a conversation."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence

from fixieai.llm.by_example.alignment import weight
from fixieai.llm.by_example.examples import Example, Match, Situation
from fixieai.llm.by_example.exchanges import Exchange, exchanges
from fixieai.llm.by_example.words import Text, read
from fixieai.protocol.transcript import FewShot, Line

_LOOKED_AT_CLOSELY = 4


class Book:
    """The examples of one agent. Nothing in it changes."""

    def __init__(self, base_prompt: str, few_shots: Iterable[FewShot]) -> None:
        self.examples = [Example(exchange) for few_shot in few_shots for exchange in exchanges(few_shot)]
        self._words = [
            {token.like: weight(token) for token in example.question.tokens} for example in self.examples
        ]
        constants = {token.key for token in read(base_prompt).tokens}
        constants |= {
            step.ask.name.casefold() for example in self.examples for step in example.exchange.steps
        }
        times = Counter(name for example in self.examples for name in example.names_from_nowhere)
        constants |= {name for name, count in times.items() if count > 1}
        for example in self.examples:
            example.accept(constants)

    def next_lines(self, current: Exchange) -> list[Line] | None:
        """The next lines after the last step of an exchange, or None when no example fits it."""
        situation = Situation.of(current)
        partners = [step.partner for step in current.steps]
        matches = [
            (match, example)
            for example in self._likely(situation.question)
            if _begins_with(example, partners) and (match := example.match(situation)) is not None
        ]
        for match, example in sorted(matches, key=_rank, reverse=True):
            lines = example.say(match, len(partners))
            if lines is not None:
                return lines
        return None

    def _likely(self, question: Text) -> list[Example]:
        """The few examples that share most words with the question, and any that is the question."""
        likes = set(question.likes)

        def shared(position: int) -> float:
            if self.examples[position].question.raw == question.raw:
                return 2.0
            words = self._words[position]
            common = sum(word_weight for like, word_weight in words.items() if like in likes)
            return common / (sum(words.values()) or 1.0)

        best = heapq.nlargest(_LOOKED_AT_CLOSELY, range(len(self.examples)), key=shared)
        return [self.examples[position] for position in best]


def _begins_with(example: Example, partners: Sequence[tuple[bool, str]]) -> bool:
    steps = example.exchange.steps
    return len(steps) >= len(partners) and [step.partner for step in steps[: len(partners)]] == list(partners)


def _rank(candidate: tuple[Match, Example]) -> float:
    return candidate[0].rank
