"""From the text of a query to a document that may be executed; those that may are remembered."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate

from fixieai import errors
from fixieai.platform.graphql.measures import Measure, Meter

MAXIMUM_TOKENS = 2_500
MAXIMUM_DEPTH = 12
MAXIMUM_ALIASES = 30
MAXIMUM_COST = 25_000
# A question to an agent may stand in the text itself.
_MAXIMUM_CHARACTERS = 300_000
_MAXIMUM_COMMENTS = 500
# Some 12 MiB when they are parsed.
_REMEMBERED_CHARACTERS = 128 * 1024
_LONGEST_REMEMBERED = 8 * 1024
_SHOWN_ERRORS = 5


class Refused(Exception):
    """A document that is not executed, and why."""

    def __init__(self, found: Sequence[GraphQLError]) -> None:
        self.errors = found
        super().__init__(found[0].message)


@dataclass(frozen=True, slots=True)
class _Document:
    node: DocumentNode
    uses_variables: bool


class Documents:
    """Texts that were parsed and validated, the least recently used first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[str, _Document] = OrderedDict()
        self._characters = 0

    def read(self, text: str, variables: Mapping[str, Any]) -> DocumentNode:
        """The document that a text stands for.

        Raises:
            Refused: it is none, is not valid for the schema, or asks for too much.
        """
        known = self._known.get(text)
        if known is None:
            known = self._prepare(text, variables)
            self._remember(text, known)
            return known.node
        self._known.move_to_end(text)
        if known.uses_variables:
            _check(Meter(self._schema, known.node, variables).measure())
        return known.node

    def _prepare(self, text: str, variables: Mapping[str, Any]) -> _Document:
        if len(text) > _MAXIMUM_CHARACTERS:
            raise _refused(f"The query has more than {_MAXIMUM_CHARACTERS:,} characters. Use variables.")
        try:
            node = parse(text, max_tokens=MAXIMUM_TOKENS, max_comments=_MAXIMUM_COMMENTS)
        except GraphQLError as error:
            raise Refused([error]) from None
        # Measured first: to validate what is much too large could take long.
        meter = Meter(self._schema, node, variables)
        try:
            _check(meter.measure())
        except errors.UnprocessableContent as error:
            raise _refused(error.message) from None
        found = validate(self._schema, node, max_errors=_SHOWN_ERRORS, hide_suggestions=True)
        if found:
            raise Refused(found)
        return _Document(node, meter.uses_variables)

    def _remember(self, text: str, document: _Document) -> None:
        if len(text) > _LONGEST_REMEMBERED:
            return
        self._known[text] = document
        self._characters += len(text)
        while self._characters > _REMEMBERED_CHARACTERS:
            oldest, _ = self._known.popitem(last=False)
            self._characters -= len(oldest)


def _check(found: Measure) -> None:
    """Raises Refused for what asks for too much."""
    if found.depth > MAXIMUM_DEPTH:
        raise _refused(f"The query is {found.depth} levels deep; {MAXIMUM_DEPTH} are allowed.")
    if found.aliases > MAXIMUM_ALIASES:
        raise _refused(f"The query has {found.aliases:,} aliases; {MAXIMUM_ALIASES} are allowed.")
    if found.cost > MAXIMUM_COST:
        raise _refused(
            f"The query may lead to {_shown(found.cost)} values; {MAXIMUM_COST:,} are allowed. "
            f"Ask for fewer items (`first`), or in several requests."
        )


def _shown(cost: int) -> str:
    return f"{cost:,}" if cost < 10**12 else "more than a million million"


def _refused(message: str) -> Refused:
    return Refused([GraphQLError(message)])
