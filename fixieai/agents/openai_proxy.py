"""OpenAI calls by an agent without a key of its own: through the platform, on behalf of who asks.

The proxy takes the query token as its API key. Each request has another one, so clients of the
`openai` package are made to look it up for each call, `openai.OpenAI()` as well as, below version 1,
`openai.ChatCompletion.create(...)`. Other clients take `openai_api_key()` as their key, and
OPENAI_BASE_URL as their server.
"""

import os
from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fixieai import constants
from fixieai.agents import openai_patch

PLACEHOLDER_KEY = "sk-fixie-openai-key"
_OWN_SETTINGS = ("OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_API_KEY")
_SCHEME = "Bearer "

_current_request_token: ContextVar[str | None] = ContextVar("_current_request_token", default=None)


def enable_openai_proxy() -> None:
    """Points the `openai` package at the platform's proxy, by the variables that it reads when imported.

    Its clients then send the token of the request being answered; outside of one they raise LookupError.

    Does nothing when one of OPENAI_API_BASE, OPENAI_BASE_URL and OPENAI_API_KEY is set: then the
    agent has its own account or server.
    """
    if any(os.environ.get(name) for name in _OWN_SETTINGS):
        return
    os.environ["OPENAI_API_BASE"] = constants.FIXIE_OPENAI_PROXY_URL
    os.environ["OPENAI_BASE_URL"] = constants.FIXIE_OPENAI_PROXY_URL
    os.environ["OPENAI_API_KEY"] = PLACEHOLDER_KEY
    openai_patch.patch(_key_for)


def _key_for(key: str, base_url: str) -> str:
    """The token goes to the proxy alone."""
    is_proxy = base_url.rstrip("/") == constants.FIXIE_OPENAI_PROXY_URL
    return openai_api_key() if is_proxy and key == PLACEHOLDER_KEY else key


def openai_api_key() -> str:
    """The API key for this moment: the token of the request being answered, or the agent's own key.

    The token is only given out for the platform's proxy: with a key in OPENAI_API_KEY it is that key.

    Raises:
        LookupError: there is neither a key nor a request.
    """
    own_key = os.environ.get("OPENAI_API_KEY")
    if own_key and own_key != PLACEHOLDER_KEY:
        return own_key
    token = _current_request_token.get() if own_key else None
    if token is None:
        raise LookupError("set OPENAI_API_KEY, or call enable_openai_proxy() and ask while answering a query")
    return token


class OpenAIProxyRequestTokenForwarderMiddleware:
    """ASGI middleware that makes the bearer token of a request known to `openai_api_key`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        authorization = Headers(scope=scope).get("authorization", "")
        token = authorization.removeprefix(_SCHEME) if authorization.startswith(_SCHEME) else None
        reset = _current_request_token.set(token)
        try:
            await self._app(scope, receive, send)
        finally:
            _current_request_token.reset(reset)
