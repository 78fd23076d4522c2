"""`/api/browser-codes` and `/api/browser-keys`: the web page gets a key without a password or a cookie."""

from typing import Annotated

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import BROWSER_KEY_SECONDS, Caller
from fixieai.platform.browser_codes import CODE_SECONDS
from fixieai.platform.endpoints import inputs
from fixieai.platform.services import platform_of

_NOT_KEPT = {"Cache-Control": "no-store"}


class CodeBody(TypedDict):
    """What stood behind `#code=` in the page's address."""

    code: Annotated[str, pydantic.Strict(), pydantic.Field(max_length=200)]


_CODE = pydantic.TypeAdapter(CodeBody)


async def create_code(request: Request, caller: Caller) -> Response:
    """For a terminal that shows a link; `expiresIn` is in seconds."""
    code = await platform_of(request).browser_codes.create(caller)
    return JSONResponse({"code": code, "expiresIn": CODE_SECONDS}, 201, _NOT_KEPT)


async def create_key(request: Request) -> Response:
    """For the page, which has no key yet. The guard has refused the pages of others."""
    body = await inputs.read_body(request, _CODE)
    platform = platform_of(request)
    grant = await platform.browser_codes.redeem(body["code"])
    key = platform.auth.browser_key(grant.username, grant.key_id)
    return JSONResponse({"key": key, "expiresIn": BROWSER_KEY_SECONDS}, 201, _NOT_KEPT)
