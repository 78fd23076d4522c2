"""`/api/openai-proxy/v1/...`: OpenAI's API for agents, with their query token as the key."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from fixieai.platform import openai_calls
from fixieai.platform.auth import QueryCaller
from fixieai.platform.openai_proxy import Answer
from fixieai.platform.services import platform_of
from fixieai.web.json_body import read_json

MAXIMUM_BODY_BYTES = 20 * 1024 * 1024  # pictures are sent within


class _ProxyResponse(StreamingResponse):
    """Ends the call when it was sent, or when nobody waits for it any more."""

    def __init__(self, answer: Answer) -> None:
        body = answer.body
        super().__init__(
            _once(body) if isinstance(body, bytes) else body,
            status_code=answer.status,
            headers=answer.headers,
        )
        self._closing = answer.closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._closing:
            await super().__call__(scope, receive, send)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def post(request: Request, caller: QueryCaller) -> Response:
    call = openai_calls.posted(request.path_params["path"], await read_json(request))
    return _ProxyResponse(await platform_of(request).openai_proxy.answer(caller, call))


async def fetch(request: Request, caller: QueryCaller) -> Response:
    call = openai_calls.fetched(request.path_params["path"])
    return _ProxyResponse(await platform_of(request).openai_proxy.answer(caller, call))
