"""`POST /graphql`: JSON, or multipart with files. Every refusal has the shape of GraphQL."""

from typing import Annotated, Any, NotRequired

import pydantic
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai import errors
from fixieai.platform.auth import Caller
from fixieai.platform.deployments.packages import PackageLimits
from fixieai.platform.endpoints.attachments import base_url
from fixieai.platform.graphql.answers import GraphqlRequest, engine, error_body
from fixieai.platform.graphql.context import Context
from fixieai.platform.graphql.uploads import MAXIMUM_FIELDS, MAXIMUM_FILES, read_operations
from fixieai.platform.services import platform_of
from fixieai.web import json_body, problems

# A package of code, and what is sent around it.
MAXIMUM_BODY_BYTES = PackageLimits().packed_bytes + 1024 * 1024
# The text of a question has 262,144 characters at most, of up to 12 bytes each.
MAXIMUM_JSON_BYTES = 4 * 1024 * 1024
_MAXIMUM_FIELD_BYTES = 1024 * 1024


class _Parameters(TypedDict):
    query: Annotated[str, pydantic.Strict()]
    variables: NotRequired[dict[str, Any] | None]
    operationName: NotRequired[Annotated[str, pydantic.Strict()] | None]


_PARAMETERS = pydantic.TypeAdapter(_Parameters)


def render(error: errors.FixieError, reference: str) -> Response:
    """A key that is missing and one that is bad are both 401: clients of old look at that status."""
    is_about_key = isinstance(error, errors.Unauthenticated | errors.InvalidCredential)
    shown = errors.Unauthenticated(error.message) if is_about_key else error
    headers = problems.headers_for(shown)
    return JSONResponse(error_body(error, reference), shown.status, headers)


async def answer(request: Request, caller: Caller) -> Response:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _answer(request, caller, await _read_json(request))
    try:
        async with request.form(
            max_files=MAXIMUM_FILES, max_fields=MAXIMUM_FIELDS, max_part_size=_MAXIMUM_FIELD_BYTES
        ) as form:
            return await _answer(request, caller, read_operations(form))
    except HTTPException as error:
        raise errors.BadRequest(str(error.detail)) from None


async def _answer(request: Request, caller: Caller, parameters: object) -> Response:
    if isinstance(parameters, list):
        raise errors.UnprocessableContent("Send one operation in a request.")
    read = _PARAMETERS.validate_python(parameters)
    wanted = GraphqlRequest(read["query"], read.get("variables") or {}, read.get("operationName"))
    reference = problems.reference_of(request.scope)
    context = Context(platform_of(request), caller, base_url(request))
    found = await (await engine()).answer(context, wanted, reference)
    return JSONResponse(found.body, found.status)


async def _read_json(request: Request) -> object:
    """As `json_body.read_json`, of less than what files may have."""
    if not json_body.is_json(request.headers.get("content-type", "")):
        raise errors.UnsupportedContent(
            "Send `Content-Type: application/json`, or `multipart/form-data` with files."
        )
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAXIMUM_JSON_BYTES:
            raise errors.ContentTooLarge(f"The request body is larger than {MAXIMUM_JSON_BYTES:,} bytes.")
    return json_body.parse_json(bytes(body))
