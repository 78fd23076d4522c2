"""`/api/users/{username}/keys`: API keys, and the keys that sign them."""

from typing import Annotated, Any

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.endpoints.users import timestamp
from fixieai.platform.services import platform_of
from fixieai.storage.api_keys import ApiKey

_NOT_KEPT = {"Cache-Control": "no-store"}


class KeyBody(TypedDict):
    """What the key is for, in the person's own words."""

    name: Annotated[str, pydantic.Strict(), pydantic.Field(max_length=200)]


_KEY = pydantic.TypeAdapter(KeyBody)


def key_json(key: ApiKey) -> dict[str, Any]:
    expires = None if key.expires is None else timestamp(key.expires)
    return {"id": key.id, "name": key.name, "created": key.created, "expires": expires}


async def list_keys(request: Request, caller: Caller) -> Response:
    keys = await platform_of(request).accounts.keys(caller, request.path_params["username"])
    return JSONResponse({"keys": [key_json(key) for key in keys]})


async def create_key(request: Request, caller: Caller) -> Response:
    """`key` in the answer is the key itself: it is kept nowhere, and shown this once."""
    body = await inputs.read_body(request, _KEY)
    accounts = platform_of(request).accounts
    stored, key = await accounts.create_key(caller, request.path_params["username"], body["name"])
    return JSONResponse(key_json(stored) | {"key": key}, 201, _NOT_KEPT)


async def revoke_key(request: Request, caller: Caller) -> Response:
    username, key_id = request.path_params["username"], request.path_params["key_id"]
    await platform_of(request).accounts.revoke_key(caller, username, key_id)
    return Response(status_code=204)


async def revoke_any_key(request: Request, caller: Caller) -> Response:
    await platform_of(request).accounts.revoke_any_key(caller, request.path_params["key_id"])
    return Response(status_code=204)


async def rotate_signing_keys(request: Request, caller: Caller) -> Response:
    key = await platform_of(request).accounts.rotate_signing_keys(caller)
    return JSONResponse({"kid": key.kid, "signsFrom": timestamp(key.signs_from)}, 201)
