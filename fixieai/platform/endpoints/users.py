"""`/api/user`, and what anybody may know of the platform: its health and its public keys."""

from importlib import metadata

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fixieai.platform.auth import Caller
from fixieai.platform.services import platform_of

SERVICE = "fixie-platform"
_VERSION = metadata.version("fixieai")


async def show_user(request: Request, caller: Caller) -> Response:
    platform = platform_of(request)
    model = await platform.models.choose(None)
    return JSONResponse({"username": caller.username, "defaultModel": model.name})


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "service": SERVICE, "version": _VERSION})


async def jwks(request: Request) -> Response:
    return JSONResponse(platform_of(request).auth.jwks(), headers={"Cache-Control": "public, max-age=300"})
