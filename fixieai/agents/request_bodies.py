"""Request bodies of an agent: JSON of a known shape, refused in FastAPI's form of `{"detail": [...]}`."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import pydantic
from starlette.requests import Request

from fixieai import errors
from fixieai.protocol.corpora import CorpusRequest
from fixieai.protocol.messages import QUERY_ADAPTER, AgentQuery

MAXIMUM_EMBEDS = 1000
_SMALL_BODY_BYTES = 64 * 1024
_SHOWN_PROBLEMS = 20
_SHOWN_KEY_LENGTH = 100
# An escaped NUL: the backslash that begins it is not itself escaped.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_CORPUS_REQUEST_ADAPTER = pydantic.TypeAdapter(CorpusRequest)
_T = TypeVar("_T")


class WrongBody(errors.UnprocessableContent):
    """The body does not have the expected shape. `details` are in FastAPI's form."""

    def __init__(self, details: list[dict[str, Any]]) -> None:
        super().__init__()
        self.details = details

    @classmethod
    def at(cls, location: Iterable[str | int], message: str, kind: str) -> WrongBody:
        return cls([{"loc": ["body", *location], "msg": message, "type": kind}])


def header_values(request: Request, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in request.scope["headers"] if key == name]


async def read_query(request: Request) -> AgentQuery:
    """Raises as `_read` does."""
    query = await _read(request, QUERY_ADAPTER)
    for key, embed in query.message.embeds.items():
        if not embed.uri:
            raise WrongBody.at(("message", "embeds", _shown(key), "uri"), "Field required", "missing")
    return query


async def read_corpus_request(request: Request) -> CorpusRequest:
    """Raises as `_read` does."""
    return await _read(request, _CORPUS_REQUEST_ADAPTER)


async def _read(request: Request, adapter: pydantic.TypeAdapter[_T]) -> _T:
    """The JSON body as what `adapter` describes.

    Raises:
        UnsupportedContent: the body is compressed.
        WrongBody: the body is not JSON, is not what is described, or could not be stored.
    """
    if any(value.strip().lower() != "identity" for value in header_values(request, b"content-encoding")):
        raise errors.UnsupportedContent("Compressed request bodies are not accepted.")
    if not all(_is_json(value) for value in header_values(request, b"content-type")):
        raise WrongBody.at((), "send the body with Content-Type: application/json", "content_type")
    body = await request.body()
    _check_bytes(body)
    try:
        return adapter.validate_json(body, strict=True)
    except pydantic.ValidationError as error:
        raise WrongBody(_problems(error)) from error


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _check_bytes(body: bytes) -> None:
    """Refuses what the parser would let pass: NUL in texts, NaN and infinities, thousands of embeds."""
    if b"\\u0000" in body and _NUL.search(body):
        raise WrongBody.at((), "a text holds a NUL character", "value_error")
    if b"NaN" in body or b"Infinity" in body:
        with contextlib.suppress(ValueError, RecursionError):
            json.loads(body, parse_constant=_refuse_constant)
    if len(body) > _SMALL_BODY_BYTES and _embed_count(body) > MAXIMUM_EMBEDS:
        raise WrongBody.at(("message", "embeds"), f"more than {MAXIMUM_EMBEDS} embeds", "too_long")


def _refuse_constant(name: str) -> None:
    raise WrongBody.at((), f"{name} is not JSON", "json_invalid")


def _embed_count(body: bytes) -> int:
    """Counted first: half a million wrong embeds would become half a million error objects."""
    try:
        embeds = json.loads(body)["message"]["embeds"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return len(embeds) if isinstance(embeds, (dict, list)) else 0


def _problems(error: pydantic.ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            "loc": ["body", *(_shown(part) for part in problem["loc"])],
            "msg": problem["msg"],
            "type": problem["type"],
        }
        for problem in found[:_SHOWN_PROBLEMS]
    ]


def _shown(part: str | int) -> str | int:
    return part[:_SHOWN_KEY_LENGTH] if isinstance(part, str) else part
