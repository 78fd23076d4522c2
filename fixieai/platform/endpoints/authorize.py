"""`/access/token` and what the page `/authorize` asks for: the sign-in of command lines."""

import urllib.parse

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fixieai import errors
from fixieai.platform import authorizations
from fixieai.platform.auth import Caller
from fixieai.platform.authorizations import Asked, GrantRefused
from fixieai.platform.services import platform_of

_NOT_KEPT = {"Cache-Control": "no-store"}
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 20


def _asked(request: Request) -> Asked:
    """What stands behind `?`, which is that of the page's own address."""
    parameters = request.query_params
    if len(parameters.multi_items()) != len(parameters):
        raise errors.BadRequest("The program that sent you here names something twice.")
    return authorizations.read(parameters)


async def describe(request: Request) -> Response:
    """For the page, before anybody signs in: where the code would go, and where to go when they refuse."""
    asked = _asked(request)
    denied = asked.answer(error="access_denied")
    return JSONResponse({"client": "fixie", "place": asked.place, "denied": denied}, headers=_NOT_KEPT)


async def allow(request: Request, caller: Caller) -> Response:
    """The person agreed: `goTo` takes a code to the program."""
    address = await platform_of(request).authorizations.allow(caller, _asked(request))
    return JSONResponse({"goTo": address}, 201, _NOT_KEPT)


async def exchange(request: Request) -> Response:
    """A code for a key; refusals have the shape of RFC 6749."""
    try:
        key = await platform_of(request).authorizations.exchange(await _form(request))
    except GrantRefused as refused:
        content = {"error": refused.error, "error_description": refused.message}
        return JSONResponse(content, refused.status, _NOT_KEPT)
    content = {"access_token": key, "token_type": "Bearer", "scope": authorizations.SCOPE}
    return JSONResponse(content, headers=_NOT_KEPT)


async def _form(request: Request) -> dict[str, str]:
    """Raises GrantRefused when the body is no form, or names a field twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise GrantRefused("invalid_request", f"send the fields as {_FORM}")
    try:
        text = (await request.body()).decode("utf-8")
        pairs = urllib.parse.parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise GrantRefused("invalid_request", "the form cannot be read") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise GrantRefused("invalid_request", "the form names a field twice")
    return form
