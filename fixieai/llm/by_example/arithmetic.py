"""Numbers of an answer that were computed from other numbers: which computation it was."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, DecimalException
from typing import NamedTuple

from fixieai.llm.by_example import lists
from fixieai.llm.by_example.words import Text, Token, number_in_format_of

_Operation = Callable[[Sequence[Decimal]], Decimal]


_NAN = Decimal("NaN")


def _mean(numbers: Sequence[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0)) / len(numbers)


def _product(numbers: Sequence[Decimal]) -> Decimal:
    product = Decimal(1)
    for number in numbers:
        product *= number
    return product


# In the order in which they are believed where several fit and no word says which.
_OPERATIONS: dict[str, _Operation] = {
    "none": lambda numbers: numbers[0] if len(numbers) == 1 else _NAN,
    "sum": lambda numbers: sum(numbers, Decimal(0)),
    "count": lambda numbers: Decimal(len(numbers)),
    "maximum": max,
    "minimum": min,
    "mean": _mean,
    "difference": lambda numbers: numbers[0] - sum(numbers[1:], Decimal(0)),
    "reverse difference": lambda numbers: numbers[-1] - sum(numbers[:-1], Decimal(0)),
    "product": _product,
    "ratio": lambda numbers: numbers[0] / numbers[1] if len(numbers) == 2 else _NAN,
}
_HINTS = {
    "total": "sum",
    "sum": "sum",
    "altogether": "sum",
    "highest": "maximum",
    "largest": "maximum",
    "biggest": "maximum",
    "best": "maximum",
    "maximum": "maximum",
    "lowest": "minimum",
    "smallest": "minimum",
    "worst": "minimum",
    "minimum": "minimum",
    "average": "mean",
    "mean": "mean",
    "product": "product",
    "difference": "difference",
    "more": "difference",
    "less": "difference",
    "change": "difference",
}


class Computation(NamedTuple):
    """`operation` on all numbers of `sources`, in the format of `shown`, rounded as that is if it is."""

    operation: str
    sources: tuple[int, ...]
    shown: str
    is_rounded: bool

    def result(self, texts: Sequence[Text | None]) -> str | None:
        """The number for other texts, or None where it cannot be computed from them."""
        numbers = _numbers(texts, self.sources)
        value = _value(self.operation, numbers) if numbers else None
        if value is not None and self.is_rounded:
            value = round(value, _decimals(self.shown))
        return None if value is None else number_in_format_of(value, self.shown)


class ItemCount(NamedTuple):
    """How many items a source has."""

    source: int
    splitting: str

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)

    def result(self, texts: Sequence[Text | None]) -> str | None:
        text = texts[self.source]
        items = lists.split(text, self.splitting) if text else None
        return str(len(items)) if items else None


def find(target: Text, position: int, texts: Sequence[Text], replies: Sequence[int]) -> Computation | None:
    """How the number at `position` of `target` follows from the texts, if it does.

    `texts[0]` is the question; `replies` are the positions of replies in `texts`.
    """
    token = target.tokens[position]
    hint = _hint(target.tokens, position)
    fitting = []
    for group in _groups(texts, replies):
        numbers = _numbers(texts, group)
        for operation in _OPERATIONS:
            value = _value(operation, numbers)
            if value is not None and round(value, _decimals(token.text)) == Decimal(token.key):
                fitting.append(Computation(operation, group, token.text, value != Decimal(token.key)))
    hinted = [computation for computation in fitting if computation.operation == hint]
    return next(iter(hinted or sorted(fitting, key=lambda computation: computation.is_rounded)), None)


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])


def _groups(texts: Sequence[Text], replies: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """Sets of texts whose numbers may have been put together."""
    groups: list[tuple[int, ...]] = [(reply,) for reply in reversed(replies)]
    groups += [tuple(replies), (0,), *((0, reply) for reply in reversed(replies))]
    return (group for group in dict.fromkeys(groups) if _numbers(texts, group))


def _numbers(texts: Sequence[Text | None], sources: tuple[int, ...]) -> list[Decimal]:
    return [number for source in sources if (text := texts[source]) is not None for number in text.numbers]


def _value(operation: str, numbers: Sequence[Decimal]) -> Decimal | None:
    try:
        value = _OPERATIONS[operation](numbers)
    except DecimalException:
        return None
    return value if value.is_finite() and value.adjusted() < 30 else None


def _hint(tokens: Sequence[Token], position: int) -> str | None:
    """The operation that the nearest telling word names; one before the number counts more."""
    before = [_HINTS[token.key] for token in tokens[max(0, position - 6) : position] if token.key in _HINTS]
    after = [_HINTS[token.key] for token in tokens[position : position + 4] if token.key in _HINTS]
    return before[-1] if before else next(iter(after), None)
