"""`/api/sign-in` and its like: a web page gets a key for a name and a password, without a cookie."""

from typing import Annotated

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import BROWSER_KEY_SECONDS, Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.endpoints.access import bearer_token
from fixieai.platform.services import platform_of

_NOT_KEPT = {"Cache-Control": "no-store"}
_Text = Annotated[str, pydantic.Strict(), pydantic.Field(max_length=300)]


class SignInBody(TypedDict):
    """Who somebody says they are."""

    username: _Text
    password: _Text


class InvitationBody(TypedDict):
    """What stood behind `code=` in the invitation, and the password that was chosen."""

    code: _Text
    password: _Text


class PasswordBody(TypedDict):
    """A password in place of another."""

    current: _Text
    new: _Text


_SIGN_IN = pydantic.TypeAdapter(SignInBody)
_INVITATION = pydantic.TypeAdapter(InvitationBody)
_PASSWORD = pydantic.TypeAdapter(PasswordBody)


def _given(key: str) -> Response:
    return JSONResponse({"key": key, "expiresIn": BROWSER_KEY_SECONDS}, 201, _NOT_KEPT)


async def show_ways(request: Request) -> Response:
    """Whether there is anybody who signs in with a password; a platform of one's own has nobody."""
    return JSONResponse({"passwords": await platform_of(request).sign_in.has_passwords()})


async def sign_in(request: Request) -> Response:
    body = await inputs.read_body(request, _SIGN_IN)
    key = await platform_of(request).sign_in.with_password(body["username"], body["password"])
    return _given(key)


async def accept_invitation(request: Request) -> Response:
    body = await inputs.read_body(request, _INVITATION)
    return _given(await platform_of(request).sign_in.with_invitation(body["code"], body["password"]))


async def change_password(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _PASSWORD)
    key = await platform_of(request).sign_in.change_password(caller, body["current"], body["new"])
    return _given(key)


async def sign_out(request: Request, _: Caller) -> Response:
    """Ends the key of the page, not an API key it stands for."""
    await platform_of(request).auth.sign_out(bearer_token(request))
    return Response(status_code=204)
