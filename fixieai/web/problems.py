"""The shape of every refusal: `{"error": {"code", "message", "reference"}}`.

A server with a shape of its own (the agents' `{"detail": ...}`) passes its own renderer to the
guard and to `exception_handlers`.
"""

import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias

import pydantic
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from fixieai import errors
from fixieai.errors import FixieError

ErrorRenderer: TypeAlias = Callable[[FixieError, str], Response]
ExceptionHandlers: TypeAlias = Mapping[type[Exception], Callable[..., Awaitable[Response]]]

REFERENCE_KEY = "fixieai.reference"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_SHOWN_PROBLEMS = 5
_SHOWN_NAME_LENGTH = 64

_logger = logging.getLogger("fixieai.web")


class MethodNotAllowed(FixieError):
    """This place does not answer that method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class RequestTimeout(FixieError):
    """The request did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_timeout"


_BY_STATUS: dict[int, type[FixieError]] = {
    kind.status: kind
    for kind in (
        errors.BadRequest,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        MethodNotAllowed,
        errors.Conflict,
        errors.ContentTooLarge,
        errors.UnsupportedContent,
        errors.UnprocessableContent,
        errors.TooManyRequests,
        errors.ServiceUnavailable,
    )
}


def reference_of(scope: Scope) -> str:
    """The reference under which the log tells more about this request, "-" outside the guard."""
    return str(scope.get(REFERENCE_KEY, "-"))


def headers_for(error: FixieError) -> dict[str, str]:
    """Its own, and `Retry-After` (whole seconds) and `WWW-Authenticate`, where it calls for them."""
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="fixie"'
    return headers


def respond(error: FixieError, reference: str) -> Response:
    """The platform's answer to an error."""
    # ASCII, so that no text that went into a message can fail to encode.
    body = json.dumps({"error": {"code": error.code, "message": error.message, "reference": reference}})
    return Response(body, error.status, headers_for(error), "application/json")


def from_http_exception(exception: HTTPException) -> FixieError:
    """Starlette's own refusals (no such route, no such method) as errors of ours."""
    is_standard = exception.status_code in _PHRASES and exception.detail == _PHRASES[exception.status_code]
    if kind := _BY_STATUS.get(exception.status_code):
        return kind(None if is_standard else str(exception.detail))
    error = FixieError(str(exception.detail))
    error.status = exception.status_code
    error.code = HTTPStatus(error.status).name.lower() if error.status in _PHRASES else "refused"
    return error


def from_validation(error: pydantic.ValidationError) -> errors.UnprocessableContent:
    """Where in the value something is wrong, and what; never the value itself."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{_place(problem['loc'])}: {problem['msg']}" for problem in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return errors.UnprocessableContent("; ".join(lines))


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN_NAME_LENGTH]}"
    return place.removeprefix(".") or "body"


def exception_handlers(render: ErrorRenderer = respond) -> ExceptionHandlers:
    """The exception map of a Starlette application, each error answered in the shape of `render`.

    The entry for `Exception` only answers: Starlette raises the exception again afterwards,
    and the guard logs it.
    """

    async def on_error(request: Request, exception: FixieError) -> Response:
        reference = reference_of(request.scope)
        log_failure(exception, reference)
        return render(exception, reference)

    async def on_http_exception(request: Request, exception: HTTPException) -> Response:
        response = render(from_http_exception(exception), reference_of(request.scope))
        response.headers.update(exception.headers or {})
        return response

    async def on_wrong_shape(request: Request, exception: pydantic.ValidationError) -> Response:
        return render(from_validation(exception), reference_of(request.scope))

    async def on_anything_else(request: Request, exception: Exception) -> Response:
        return render(FixieError(), reference_of(request.scope))

    return {
        FixieError: on_error,
        HTTPException: on_http_exception,
        pydantic.ValidationError: on_wrong_shape,
        Exception: on_anything_else,
    }


def log_failure(error: FixieError, reference: str) -> None:
    """Logs errors that are not the caller's: ours with their traceback, a server's we depend on in a line."""
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _logger.error("%s: %s", reference, error.code, exc_info=error)
    elif error.status > HTTPStatus.INTERNAL_SERVER_ERROR:
        _logger.warning("%s: %s: %r", reference, error.code, error.message)


EXCEPTION_HANDLERS = exception_handlers()
