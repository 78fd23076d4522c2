"""The argument of a func as a dataclass or pydantic model: its JSON schema, and JSON text as an instance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from fixieai.protocol import shapes

_OWN = ("fixieai.agents.", "fixieai.protocol.")


class BadArgument(ValueError):
    """The model wrote an argument that does not fit. The message is written for the model."""


@dataclass(frozen=True)
class StructuredArgument:
    """`schema` is the JSON schema, always of type object."""

    adapter: pydantic.TypeAdapter[Any]
    schema: Mapping[str, Any]

    @classmethod
    def of(cls, kind: type) -> StructuredArgument:
        """Raises TypeError when JSON cannot describe `kind` as an object."""
        try:
            adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(kind)
            schema = _unfolded(adapter.json_schema())
        except (pydantic.PydanticUserError, pydantic.PydanticUndefinedAnnotation) as error:
            raise TypeError(f"{kind.__name__} cannot be read from JSON: {error}") from error
        if schema.get("type") != "object":
            raise TypeError(f"{kind.__name__} must be read from a JSON object, not {schema.get('type')}")
        return cls(adapter, schema)

    def parse(self, text: str) -> object:
        """Text without anything in it stands for an object without fields.

        Raises:
            BadArgument: what is wrong, and where.
        """
        try:
            return self.adapter.validate_json(text if text.strip() else "{}")
        except pydantic.ValidationError as error:
            raise BadArgument(
                f"This argument cannot be used: {shapes.problems(error)}. "
                f"Expected a JSON object with {self._fields()}."
            ) from error

    def _fields(self) -> str:
        required = self.schema.get("required", [])
        names = [
            name if name in required else f"{name} (optional)" for name in self.schema.get("properties", {})
        ]
        return f"the fields {', '.join(names)}" if names else "no fields"


def is_structured(annotation: object) -> bool:
    """Whether a parameter so annotated takes JSON. The SDK's own types have meanings of their own."""
    if not isinstance(annotation, type) or annotation.__module__.startswith(_OWN):
        return False
    return dataclasses.is_dataclass(annotation) or issubclass(annotation, pydantic.BaseModel)


def _unfolded(schema: dict[str, Any]) -> dict[str, Any]:
    """A type that contains itself has its schema among the definitions: put it on top, where models look."""
    definitions = schema.get("$defs", {})
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**definitions[name], "$defs": definitions} if name in definitions else schema
