"""Reading what an agent answered: bounded bytes, then known shapes, never more."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pydantic
import yaml

from fixieai import errors
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import RESPONSE_ADAPTER, AgentResponse, Message

MAXIMUM_BYTES = 8 * 1024 * 1024
MAXIMUM_LINE_BYTES = 1024 * 1024
_MAXIMUM_EMBEDS = 64
_EMBEDS = pydantic.TypeAdapter(dict[str, Embed])
_MAXIMUM_DEPTH = 64
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


async def read(response: aiohttp.ClientResponse, maximum_bytes: int = MAXIMUM_BYTES) -> bytes:
    """The whole body.

    Raises:
        AgentUnavailable: it is larger than `maximum_bytes`.
    """
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > maximum_bytes:
            raise errors.AgentUnavailable(f"The agent answered more than {maximum_bytes} bytes.")
    return bytes(body)


async def read_lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body line by line as it arrives, blank lines left out.

    Raises:
        AgentUnavailable: a line is longer than 1 MiB, or the whole is larger than 8 MiB.
    """
    buffer = bytearray()
    total = 0
    async for chunk in response.content.iter_any():
        buffer += chunk
        total += len(chunk)
        *lines, rest = buffer.split(b"\n")
        buffer = bytearray(rest)
        if total > MAXIMUM_BYTES or len(buffer) > MAXIMUM_LINE_BYTES:
            raise errors.AgentUnavailable(
                f"The agent answered a line of more than {MAXIMUM_LINE_BYTES} bytes, or more than "
                f"{MAXIMUM_BYTES} bytes in all."
            )
        for line in lines:
            if line.strip():
                yield bytes(line)
    if buffer.strip():
        yield bytes(buffer)


def parse_yaml(body: bytes) -> object:
    """Plain YAML: not deep, for which the parser takes quadratic time, and without aliases, which
    can make a small text huge. It may take a second: call it in a thread.

    Raises:
        ValueError, yaml.YAMLError: it is not such a text.
    """
    text = body.decode("utf-8")
    depth = 0
    for token in yaml.scan(text, Loader=_LOADER):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _MAXIMUM_DEPTH or isinstance(token, yaml.AliasToken):
            raise ValueError("too deep, or with aliases")
    content: object = yaml.load(text, Loader=_LOADER)  # noqa: S506 - it is a safe loader
    return content


def parse_response(body: bytes) -> AgentResponse:
    """An answer in the current shape, or in the older one: `{"text": ..., "embeds": ...}`.

    Raises:
        ValueError: it is neither.
    """
    try:
        return _checked(RESPONSE_ADAPTER.validate_json(body))
    except pydantic.ValidationError:
        content = _any_json(body)
    match content:
        case {"text": str(text), **others}:
            return _checked(AgentResponse(Message(text, _EMBEDS.validate_python(others.get("embeds") or {}))))
    raise ValueError("neither message nor text")


def _any_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _checked(response: AgentResponse) -> AgentResponse:
    if len(response.message.embeds) > _MAXIMUM_EMBEDS:
        raise ValueError("too many embeds")
    if "\0" in response.message.text:
        response.message.text = response.message.text.replace("\0", "\ufffd")
    return response
