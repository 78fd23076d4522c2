"""What may be stored of a run: exactly JSON, for a value has to come back as what it was.

Tuples, enums, dates, NaN and numbers as keys are refused rather than turned into something near:
a resumed run would see another value than the run that was killed.
"""

import json
import math
from typing import Any

from fixieai.workflows.failures import NotJson

_DEPTH = 100
_PLAIN = frozenset((type(None), bool, str))
# Python refuses to read or write longer ones.
_INTEGER_BITS = 14_000


def checked(value: Any, what: str) -> Any:
    """The value. Raises NotJson, which names `what` and the place in it."""
    try:
        _check(value, "", 0)
    except _Found as found:
        place, finding = found.args
        raise NotJson(f"{what} is not JSON: {f'at {place}: ' if place else ''}{finding}") from None
    return value


def encode(value: Any) -> str:
    """ASCII, so that neither database can refuse NUL or half of a surrogate pair."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Any:
    return json.loads(text)


class _Found(Exception):
    """Where, and what."""


def _check(value: Any, place: str, depth: int) -> None:
    kind = type(value)
    if kind in _PLAIN:
        return
    if depth > _DEPTH:
        raise _Found("", f"nested more than {_DEPTH} deep")
    if kind is list:
        for index, each in enumerate(value):
            _check(each, f"{place}[{index}]", depth + 1)
    elif kind is dict:
        _check_members(value, place, depth)
    else:
        _check_number(value, place)


def _check_members(value: dict[Any, Any], place: str, depth: int) -> None:
    for name, each in value.items():
        if type(name) is not str:
            raise _Found(place, f"the key {name!r:.80} is not a string")
        _check(each, f"{place}.{name:.80}", depth + 1)


def _check_number(value: Any, place: str) -> None:
    if type(value) is float and not math.isfinite(value):
        raise _Found(place, f"{value} is not a number")
    if type(value) is int and value.bit_length() > _INTEGER_BITS:
        raise _Found(place, "an integer of thousands of digits")
    if type(value) not in {int, float}:
        raise _Found(place, f"a {type(value).__module__}.{type(value).__qualname__}")
