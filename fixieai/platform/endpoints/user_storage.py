"""`/api/userstorage/{owner}/{handle}[/{key}]`, for the agent of that id alone."""

import json
from collections.abc import AsyncIterator

import pydantic
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from typing_extensions import TypedDict

from fixieai import errors
from fixieai.platform.auth import QueryCaller
from fixieai.platform.endpoints import inputs
from fixieai.platform.services import platform_of
from fixieai.platform.user_storage import UserStorage
from fixieai.storage.user_storage import Item

# Values are of 1 MiB each at most, and a piece of the list is in memory at once.
_PIECE = 100


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
    """The original's plain list of all there is; with `?limit=` a page of it, from behind `?after=` on."""
    _check_agent(request, caller)
    is_page = "limit" in request.query_params
    limit = inputs.page_size(request) if is_page else _PIECE
    storage = platform_of(request).user_storage
    items = await storage.page(caller, request.query_params.get("after"), limit)
    if is_page or len(items) < limit:
        return JSONResponse([_item_json(item) for item in items])
    return StreamingResponse(_all_items(storage, caller, items), media_type="application/json")


def _item_json(item: Item) -> dict[str, str]:
    return {"key": item.key, "value": item.value}


async def _all_items(storage: UserStorage, caller: QueryCaller, items: list[Item]) -> AsyncIterator[str]:
    """From the first `items` on to the last, with no more than a piece of the list in memory."""
    separator = "["
    while items:
        for item in items:
            yield separator + json.dumps(_item_json(item))
            separator = ","
        items = await storage.page(caller, items[-1].key, _PIECE)
    yield "]"


async def get_value(request: Request, caller: QueryCaller) -> Response:
    """Also answers HEAD."""
    return JSONResponse({"data": await platform_of(request).user_storage.get(caller, _key(request, caller))})


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
