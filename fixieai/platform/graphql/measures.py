"""How much a GraphQL document asks for, with its fragments expanded: in time linear to its length."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
)

from fixieai import errors

# What a list is taken to hold that is not asked for in pages.
_USUAL_LENGTH = 100
_SHORT_LISTS = {"metadata": 5, "indexedCorpora": 5, "embeds": 10, "attachments": 5, "organizations": 10}
_PAGE_ARGUMENT = "first"
_INTROSPECTION = ("__schema", "__type")
_INTROSPECTION_COST = 5_000
_MAXIMUM_NESTING = 100


class Measure(NamedTuple):
    """Of a selection set: its depth, its aliases, and the values that it may lead to."""

    depth: int = 0
    aliases: int = 0
    cost: int = 0


class Meter:
    """Measures one document for one set of variables.

    `uses_variables` says, after a measurement, whether other variables could lead to another one.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._document = document
        self._variables = variables
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._measured: dict[str, Measure] = {}
        self._entered: set[str] = set()
        self._defaults: dict[str, list[ValueNode]] = {}
        self.uses_variables = False

    def measure(self) -> Measure:
        """Of the largest operation.

        Raises:
            UnprocessableContent: fragments within fragments, without an end in sight.
        """
        operations = [
            node for node in self._document.definitions if isinstance(node, OperationDefinitionNode)
        ]
        # Fragments are measured once for all operations: with the largest default that any gives a variable.
        for node in operations:
            for each in node.variable_definitions or ():
                if each.default_value is not None:
                    self._defaults.setdefault(each.variable.name.value, []).append(each.default_value)
        found = [
            self._selections(self._schema.get_root_type(node.operation), node.selection_set, 0)
            for node in operations
        ]
        return Measure(*(max(values) for values in zip(*found, strict=True))) if found else Measure()

    def _selections(
        self, parent: GraphQLNamedType | None, node: SelectionSetNode | None, nesting: int
    ) -> Measure:
        if nesting > _MAXIMUM_NESTING:
            raise errors.UnprocessableContent("The query is nested too deeply.")
        depth = aliases = cost = 0
        for selection in node.selections if node else ():
            found = self._selection(parent, selection, nesting + 1)
            depth = max(depth, found.depth)
            aliases += found.aliases
            cost += found.cost
        return Measure(depth, aliases, cost)

    def _selection(self, parent: GraphQLNamedType | None, node: SelectionNode, nesting: int) -> Measure:
        if isinstance(node, FieldNode):
            return self._field(parent, node, nesting)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value, nesting)
        assert isinstance(node, InlineFragmentNode)  # noqa: S101 - there is no other kind
        condition = node.type_condition
        narrowed = self._schema.get_type(condition.name.value) if condition else parent
        return self._selections(narrowed, node.selection_set, nesting)

    def _fragment(self, name: str, nesting: int) -> Measure:
        """Nothing for one that is unknown or contains itself: validation says so."""
        if name in self._measured:
            return self._measured[name]
        node = self._fragments.get(name)
        if node is None or name in self._entered:
            return Measure()
        self._entered.add(name)
        on = self._schema.get_type(node.type_condition.name.value)
        found = self._measured[name] = self._selections(on, node.selection_set, nesting)
        return found

    def _field(self, parent: GraphQLNamedType | None, node: FieldNode, nesting: int) -> Measure:
        aliases = int(node.alias is not None)
        name = node.name.value
        if name in _INTROSPECTION:  # how deep, a rule of its own says
            return Measure(1, aliases, _INTROSPECTION_COST)
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        definition = fields.get(name)
        kind = get_named_type(definition.type) if definition else None
        below = self._selections(kind, node.selection_set, nesting)
        times = self._times(parent, definition, node) if definition and below.cost else 1
        return Measure(1 + below.depth, aliases + below.aliases, 1 + times * below.cost)

    def _times(self, parent: GraphQLNamedType | None, definition: GraphQLField, node: FieldNode) -> int:
        """How many values a field may have."""
        if _PAGE_ARGUMENT in definition.args:
            return self._page_length(node)
        if not _is_list(definition.type) or (parent and parent.name.endswith("Connection")):
            return 1
        return _SHORT_LISTS.get(node.name.value, _USUAL_LENGTH)

    def _page_length(self, node: FieldNode) -> int:
        given = next((each.value for each in node.arguments or () if each.name.value == _PAGE_ARGUMENT), None)
        length = self._number(given)
        return _USUAL_LENGTH if length is None else max(0, length)

    def _number(self, node: ValueNode | None) -> int | None:
        """None where it is no number: validation says so."""
        if isinstance(node, VariableNode):
            self.uses_variables = True
            value = self._variables.get(node.name.value)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return math.ceil(value)  # 2.0 is a whole number, too
            defaults = (self._number(each) for each in self._defaults.get(node.name.value, ()))
            return max((number for number in defaults if number is not None), default=None)
        if not isinstance(node, IntValueNode):
            return None
        return int(node.value) if len(node.value) < 10 else 10**10


def _is_list(kind: GraphQLOutputType) -> bool:
    return isinstance(get_nullable_type(kind), GraphQLList)
