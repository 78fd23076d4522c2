"""Strict JSON from outside: what comes through is plain data that every store and encoder can hold.

Refused, with where: not UTF-8, NaN and Infinity, numbers beyond a float or of thousands of digits,
duplicate keys, nesting deeper than 64, NUL characters and lone surrogates.
"""

import json
import math
import re
from typing import Any

from starlette.requests import Request

from fixieai import errors

MAXIMUM_DEPTH = 64
_SHOWN_LENGTH = 64
_CONTAINERS = (dict, list)

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
# Only an escape can bring NUL or a surrogate into decoded JSON: UTF-8 has no surrogates, and
# JSON has no raw control characters.
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_FINE_ESCAPES = re.compile(
    r"""(?: [^\\]++                                             # text
          | \\[^u]                                              # \n, \", ...
          | \\u(?!0000|[dD][89a-fA-F])                          # any other character
          | \\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]        # both halves of a pair
        )*+""",
    re.VERBOSE,
)


async def read_json(request: Request) -> object:
    """The request's JSON body as plain Python data.

    Raises:
        UnsupportedContent: it is not `application/json` in UTF-8.
        UnprocessableContent: it is not JSON, or not JSON of the kind this module lets through.
    """
    if not is_json(request.headers.get("content-type", "")):
        raise errors.UnsupportedContent("Send `Content-Type: application/json`.")
    return parse_json(await request.body())


def is_json(content_type: str) -> bool:
    """Whether a Content-Type header says JSON in UTF-8."""
    if content_type == "application/json":
        return True
    media_type, _, parameters = content_type.lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('" ')
    return media_type.strip() == "application/json" and charset in ("", "utf-8", "utf8")


def parse_json(body: bytes) -> object:
    """Strict JSON as plain Python data.

    Raises:
        UnprocessableContent: see the module; the message says where.
    """
    if not body:
        raise errors.UnprocessableContent("The body is empty; JSON was expected.")
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise errors.UnprocessableContent(f"The body is not UTF-8, from byte {error.start} on.") from None
    except json.JSONDecodeError as error:
        raise errors.UnprocessableContent(f"The body is not JSON: {error}.") from None
    except ValueError:  # Python's own limit on int()
        raise errors.UnprocessableContent("The body holds a number of thousands of digits.") from None
    except RecursionError:
        raise _too_deep(text) from None
    if text.count("[") + text.count("{") > MAXIMUM_DEPTH and _is_too_deep(value):
        raise _too_deep(text)
    if "\\u" in text and _SUSPECT_ESCAPE.search(text):
        _check_escapes(text)
    return value


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise errors.UnprocessableContent(f"The key {_shown(repeated)} comes more than once in one object.")
    return found


def _read_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise errors.UnprocessableContent(f"The number {_shown(digits)} is too large.")
    return number


def _refuse_constant(name: str) -> None:
    raise errors.UnprocessableContent(f"The body is not JSON: {name} is not a JSON value.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_float=_read_float,
    parse_constant=_refuse_constant,
)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "...")


def _is_too_deep(value: object) -> bool:
    level: list[Any] = [value]
    for _ in range(MAXIMUM_DEPTH + 1):
        containers = [item for item in level if type(item) in _CONTAINERS]
        if not containers:
            return False
        level = [child for item in containers for child in (item.values() if type(item) is dict else item)]
    return True


def _too_deep(text: str) -> errors.UnprocessableContent:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > MAXIMUM_DEPTH:
            return errors.UnprocessableContent(
                f"The body is nested deeper than {MAXIMUM_DEPTH} levels, at character {match.start()}."
            )
    return errors.UnprocessableContent(f"The body is nested deeper than {MAXIMUM_DEPTH} levels.")


def _check_escapes(text: str) -> None:
    fine = _FINE_ESCAPES.match(text)
    end = fine.end() if fine else 0
    if end < len(text):
        what = "a NUL character" if text.startswith("\\u0000", end) else "half a surrogate pair"
        raise errors.UnprocessableContent(
            f"The body holds {what} ({text[end : end + 6]}), at character {end}."
        )
