"""`/api/openai-proxy/v1/...`: OpenAI's API for agents, with their query token as the key.

Refusals are in OpenAI's shape, which is the platform's with a `type` and a `param`.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from fixieai import errors
from fixieai.errors import FixieError
from fixieai.llm.hosted_features import NotServed
from fixieai.platform import openai_calls
from fixieai.platform.auth import QueryCaller
from fixieai.platform.openai_calls import OpenAICall
from fixieai.platform.openai_proxy import Answer
from fixieai.platform.services import platform_of
from fixieai.web import problems
from fixieai.web.json_body import is_json, parse_json

MAXIMUM_BODY_BYTES = 20 * 1024 * 1024  # pictures are sent within


class _ProxyResponse(StreamingResponse):
    """Ends the call when it was sent, or when nobody waits for it any more."""

    def __init__(self, answer: Answer, entered: contextlib.AsyncExitStack) -> None:
        body = answer.body
        super().__init__(
            _once(body) if isinstance(body, bytes) else body,
            status_code=answer.status,
            headers=answer.headers,
        )
        self._entered = entered
        self._closing = answer.closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._entered, self._closing:
            await super().__call__(scope, receive, send)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def answer(request: Request, caller: QueryCaller) -> Response:
    proxy = platform_of(request).openai_proxy
    try:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(proxy.entered(caller))
            call = await _call(request)
            return _ProxyResponse(await proxy.answer(caller, call), stack.pop_all())
    except FixieError as error:
        reference = problems.reference_of(request.scope)
        problems.log_failure(error, reference)
        return render(error, reference)


async def _call(request: Request) -> OpenAICall:
    path = request.path_params["path"]
    if request.method == "DELETE":
        raise openai_calls.not_here(path)
    if request.method != "POST":
        return openai_calls.fetched(path)
    if not is_json(request.headers.get("content-type", "")):
        raise errors.UnsupportedContent("Send `Content-Type: application/json`.")
    return await asyncio.to_thread(_read, path, await request.body())


def _read(path: str, body: bytes) -> OpenAICall:
    """In a thread: it may be megabytes of JSON, and others go on meanwhile."""
    return openai_calls.posted(path, parse_json(body))


def render(error: FixieError, reference: str) -> Response:
    """A refusal as clients of OpenAI read it."""
    shape = {
        "message": error.message,
        "type": _type_of(error),
        "param": error.parameter if isinstance(error, NotServed) else None,
        "code": error.code,
        "reference": reference,
    }
    body = json.dumps({"error": shape})
    return Response(body, error.status, problems.headers_for(error), "application/json")


def _type_of(error: FixieError) -> str:
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "invalid_request_error" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
