"""Decoded JSON or YAML of anybody's making, turned into a known dataclass or refused with a clear message."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic

from fixieai import errors

Shape = TypeVar("Shape")

_REPORTED_PROBLEMS = 5
_adapters: dict[type[Any], pydantic.TypeAdapter[Any]] = {}


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a value may be: characters of all its texts, values in all, levels of nesting.

    YAML repeats a value by reference: a few lines can stand for billions of values.
    """

    characters: int = 2_000_000
    values: int = 20_000
    depth: int = 32


def read(shape: type[Shape], value: object, what: str, limits: Limits) -> Shape:
    """`value` as an instance of the dataclass `shape`; keys that it does not know are ignored.

    Args:
        what: names the value in messages, as in "the metadata".

    Raises:
        UnprocessableContent: it is too large, cannot be stored, or has another shape.
    """
    try:
        _check(value, limits)
        return _adapter(shape).validate_python(value)
    except pydantic.ValidationError as error:
        raise errors.UnprocessableContent(f"{what} cannot be used: {problems(error)}") from error
    except ValueError as error:
        raise errors.UnprocessableContent(f"{what} cannot be used: {error}") from error


def problems(error: pydantic.ValidationError) -> str:
    """Where each problem is and what was expected: `few_shots.0: Input should be a valid string; ...`."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    described = [_problem(detail["loc"], detail["msg"]) for detail in found[:_REPORTED_PROBLEMS]]
    if len(found) > _REPORTED_PROBLEMS:
        described.append(f"and {len(found) - _REPORTED_PROBLEMS} more")
    return "; ".join(described)


def _problem(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    said = message.removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def _adapter(shape: type[Shape]) -> pydantic.TypeAdapter[Shape]:
    """Built when first needed: an agent reads none of these, and building them costs milliseconds."""
    if shape not in _adapters:
        _adapters[shape] = pydantic.TypeAdapter(shape)
    return _adapters[shape]


def _check(value: object, limits: Limits) -> None:
    """Raises ValueError for what is too large or cannot be stored. Walks without recursion."""
    characters = values = 0
    pending: list[tuple[object, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        values += 1
        if isinstance(item, str):
            check_text(item)
            characters += len(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("it holds a number that is not finite")
        if values > limits.values or characters > limits.characters or depth > limits.depth:
            raise ValueError(
                f"it holds more than {limits.characters} characters, {limits.values} values "
                f"or {limits.depth} levels"
            )
        pending.extend((child, depth + 1) for child in _children(item))


def _children(item: object) -> Iterator[object]:
    if isinstance(item, Mapping):
        yield from item.keys()
        yield from item.values()
    elif isinstance(item, (list, tuple, set)):
        yield from item


def check_text(text: str) -> None:
    """Raises ValueError for text that no database and no UTF-8 body takes: NUL, lone surrogates."""
    if "\0" in text:
        raise ValueError("a text in it holds a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("a text in it holds half of a surrogate pair") from error


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """Raises UnprocessableContent when `value` is not a mapping."""
    if not isinstance(value, Mapping):
        raise errors.UnprocessableContent(f"{what} cannot be used: expected a mapping, got {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__
