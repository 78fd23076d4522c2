"""Fields that stand in their object as text are taken from there: half of the cost of a page.

graphql-core does for every field what only some need: it describes the place to a resolver, looks
for something to await, and looks what kind of type the value is to be completed as. Whatever is no
text, or is of a field with a resolver, goes that way here too, errors included.
"""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLScalarType, GraphQLSchema
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path

_TEXTS = frozenset({"String", "ID", "DateTime"})


def executor_of(schema: GraphQLSchema) -> type[Executor[Any]]:
    """The class to give to `execute`: it overrides a method of graphql-core 3.3 that is not public."""
    fields = {
        type_name: frozenset(name for name, field in kind.fields.items() if _is_plain_text(field))
        for type_name, kind in schema.type_map.items()
        if isinstance(kind, GraphQLObjectType)
    }
    return type("PlainValues", (_PlainValues,), {"plain_fields": fields})


def _is_plain_text(field: Any) -> bool:
    kind = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    is_text = isinstance(kind, GraphQLScalarType) and kind.name in _TEXTS
    return is_text and field.resolve is None and not field.args


class _PlainValues(Executor[Any]):
    plain_fields: Mapping[str, frozenset[str]] = {}

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: Any,
    ) -> Any:
        name = field_details_list[0].node.name.value
        if name in self.plain_fields.get(parent_type.name, ()):
            value = source.get(name)
            if type(value) is str:
                return value
        return super().execute_field(parent_type, source, field_details_list, path, position_context)
