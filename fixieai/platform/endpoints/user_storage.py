"""`/api/userstorage/{owner}/{handle}[/{key}]`, for the agent of that id alone."""

import json
from collections.abc import AsyncIterator, Sequence

import pydantic
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from typing_extensions import TypedDict

from fixieai import errors
from fixieai.platform.auth import QueryCaller
from fixieai.platform.endpoints import inputs
from fixieai.platform.services import platform_of
from fixieai.storage.user_storage import Item, Key


class StoredValue(TypedDict):
    """`data` is JSON text."""

    data: str


class _AnyText(Convertor[str]):
    """A key in a route, as `{key:any_text}`: Starlette's `path` loses a newline at the end of it."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("any_text", _AnyText())
_STORED_VALUE = pydantic.TypeAdapter(StoredValue)


def _check_agent(request: Request, caller: QueryCaller) -> None:
    """Another agent's store is, for this caller, not there."""
    if caller.agent_id != f"{request.path_params['owner']}/{request.path_params['handle']}":
        raise errors.NotFound


def _key(request: Request, caller: QueryCaller) -> str:
    _check_agent(request, caller)
    key: str = request.path_params["key"]
    return key


async def list_values(request: Request, caller: QueryCaller) -> Response:
    """The original's plain list of all there is; with `?limit=` a page of it, from behind `?after=` on.

    With `?values=false` it is of keys alone.
    """
    _check_agent(request, caller)
    limit = inputs.page_size(request) if "limit" in request.query_params else None
    after = request.query_params.get("after")
    storage = platform_of(request).user_storage
    pieces: AsyncIterator[Sequence[Item | Key]] = storage.item_pieces(caller, after, limit)
    if request.query_params.get("values") == "false":
        pieces = storage.key_pieces(caller, after, limit)
    first = await anext(pieces, None)
    return StreamingResponse(_json_list(first, pieces), media_type="application/json")


async def _json_list(
    piece: Sequence[Item | Key] | None, pieces: AsyncIterator[Sequence[Item | Key]]
) -> AsyncIterator[str]:
    """With no more than a piece of the list in memory."""
    separator = "["
    while piece:
        yield separator + json.dumps([_entry_json(entry) for entry in piece])[1:-1]
        separator = ","
        piece = await anext(pieces, None)
    yield "[]" if separator == "[" else "]"


def _entry_json(entry: Item | Key) -> dict[str, str]:
    return {"key": entry.key, "value": entry.value} if isinstance(entry, Item) else {"key": entry.key}


async def get_value(request: Request, caller: QueryCaller) -> Response:
    """Also answers HEAD, without reading the value."""
    storage, key = platform_of(request).user_storage, _key(request, caller)
    if request.method == "HEAD":
        return Response(status_code=200 if await storage.has(caller, key) else 404)
    return JSONResponse({"data": await storage.get(caller, key)})


async def put_value(request: Request, caller: QueryCaller) -> Response:
    key = _key(request, caller)
    body = await inputs.read_body(request, _STORED_VALUE)
    try:
        json.loads(body["data"], parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise errors.UnprocessableContent("data: must be JSON text") from error
    await platform_of(request).user_storage.put(caller, key, body["data"])
    return JSONResponse({"key": key})


async def delete_value(request: Request, caller: QueryCaller) -> Response:
    await platform_of(request).user_storage.delete(caller, _key(request, caller))
    return JSONResponse({"key": _key(request, caller)})


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
