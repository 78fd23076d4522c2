"""The HTTP surface of an agent: handshake, funcs, corpus funcs, and queries to a standalone agent.

Every route asks for a query token before it reads anything else of the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import yaml
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fixieai import errors
from fixieai.agents import author_calls, request_bodies, token
from fixieai.agents.author_calls import CallSettings
from fixieai.agents.exceptions import AgentException
from fixieai.agents.openai_proxy import OpenAIProxyRequestTokenForwarderMiddleware
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.corpora import CorpusRequest, CorpusResponse
from fixieai.protocol.messages import RESPONSE_ADAPTER, AgentQuery, AgentResponse
from fixieai.web import problems

MAXIMUM_BODY_BYTES = 4 * 1024 * 1024
_HANDSHAKE_PIECE = 1024
_SHOWN_NAME_LENGTH = 200
_HANDLE_MESSAGE = "handle_message"
_T = TypeVar("_T")


class QueryFunc(Protocol):
    def responses(
        self, query: AgentQuery, claims: VerifiedTokenClaims
    ) -> AsyncGenerator[AgentResponse, None]: ...


class CorpusFunc(Protocol):
    async def respond(self, request: CorpusRequest, claims: VerifiedTokenClaims) -> CorpusResponse: ...


class _Metadata(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


class ServedAgent(Protocol):
    """What an agent needs to have to be served; `AgentBase` has it.

    `_handle_message` is what answers `POST /`, None where the platform's model decides what to call.
    """

    @property
    def _funcs(self) -> Mapping[str, QueryFunc]: ...
    @property
    def _corpus_funcs(self) -> Mapping[str, CorpusFunc]: ...
    @property
    def _handle_message(self) -> QueryFunc | None: ...
    @property
    def _jwks_client(self) -> token.KeySource: ...
    @property
    def _allowed_agent_id(self) -> str | None: ...
    def metadata(self) -> _Metadata: ...


@dataclass(frozen=True, slots=True)
class _Served:
    """An agent with the settings of its calls: what each endpoint is given."""

    agent: ServedAgent
    settings: CallSettings


_Endpoint = Callable[[_Served, Request, VerifiedTokenClaims], Awaitable[Response]]


def build_app(agent: ServedAgent) -> Starlette:
    """The ASGI application of an agent, for `fixieai.web.guard` to be put around.

    Raises:
        ConfigurationError: FIXIE_FUNC_TIMEOUT is no number above 0.
    """
    app = Starlette(
        routes=build_routes(agent),
        middleware=[Middleware(OpenAIProxyRequestTokenForwarderMiddleware)],
        exception_handlers=problems.exception_handlers(render),
    )
    app.router.redirect_slashes = False  # it would answer with a URL made of the caller's Host header
    return app


def build_routes(agent: ServedAgent) -> list[Route]:
    """The routes of an agent, for an application of the author's own. They answer their own errors.

    Raises:
        ConfigurationError: FIXIE_FUNC_TIMEOUT is no number above 0.
    """
    served = _Served(agent, CallSettings.from_environment())
    routes = [
        _route("/{func_name}", "POST", _call_func, served),  # what is called most is looked for first
        _route("/", "GET", _handshake, served),
        _route("/corpus/{func_name}", "POST", _call_corpus_func, served),
    ]
    if agent._handle_message is not None:
        answer_query = functools.partial(_answer_query, agent._handle_message)
        routes.append(_route("/", "POST", answer_query, served))
    return routes


def _route(path: str, method: str, endpoint: _Endpoint, served: _Served) -> Route:
    serve = functools.partial(_serve, endpoint, served)
    return Route(path, serve, methods=[method], max_body_size=MAXIMUM_BODY_BYTES)


def render(error: errors.FixieError, reference: str) -> Response:
    """A refusal in the shape of the agent protocol: `{"detail": ...}`."""
    detail = error.details if isinstance(error, request_bodies.WrongBody) else error.message
    return JSONResponse({"detail": detail}, error.status, problems.headers_for(error))


async def _serve(endpoint: _Endpoint, served: _Served, request: Request) -> Response:
    try:
        claims = await _authenticate(served.agent, request)
        return await endpoint(served, request, claims)
    except AgentException as error:
        return _error_response(error, served.settings)
    except errors.FixieError as error:
        reference = problems.reference_of(request.scope)
        problems.log_failure(error, reference)
        return render(error, reference)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it


async def _authenticate(agent: ServedAgent, request: Request) -> VerifiedTokenClaims:
    """Raises Forbidden without a valid query token, KeysUnavailable when it cannot be verified."""
    bearer = _bearer_token(request_bodies.header_values(request, b"authorization"))
    arguments = (bearer, agent._jwks_client, agent._allowed_agent_id)
    if token.would_fetch(bearer, agent._jwks_client):
        # Not in the threads of the author's functions: these may all be taken.
        claims = await asyncio.to_thread(VerifiedTokenClaims.from_token, *arguments)
    else:
        claims = VerifiedTokenClaims.from_token(*arguments)
    if claims is None:
        raise errors.Forbidden("Invalid token")
    return claims


def _bearer_token(values: list[str]) -> str:
    if len(values) > 1:
        raise errors.Forbidden("Invalid authentication credentials")
    scheme, _, credentials = "".join(values).strip().partition(" ")
    if not credentials:
        raise errors.Forbidden("Not authenticated")
    if scheme.lower() != "bearer":
        raise errors.Forbidden("Invalid authentication credentials")
    return credentials.strip()


async def _handshake(served: _Served, request: Request, claims: VerifiedTokenClaims) -> Response:
    answer = asyncio.to_thread(_yaml, served.agent)
    document = await author_calls.attempt("the handshake", answer, served.settings)
    return StreamingResponse(_pieces(document), media_type="application/yaml")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes a value each time it occurs: readers refuse YAML aliases, which can make a small text huge."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _yaml(agent: ServedAgent) -> str:
    content = agent.metadata().to_dict()
    document: str = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return document


async def _pieces(document: str) -> AsyncIterator[str]:
    """Asynchronous: for a plain iterator Starlette takes the threads of funcs, which may all be taken."""
    for begin in range(0, len(document), _HANDSHAKE_PIECE):
        yield document[begin : begin + _HANDSHAKE_PIECE]


async def _call_func(served: _Served, request: Request, claims: VerifiedTokenClaims) -> Response:
    query = await request_bodies.read_query(request)
    name = request.path_params["func_name"]
    func = _found(served.agent._funcs, name)
    answer = _func_json(func, query, claims)
    content = await author_calls.attempt(f"func {name}", answer, served.settings)
    return Response(content, media_type="application/json")


def _found(funcs: Mapping[str, _T], name: str) -> _T:
    func = funcs.get(name)
    if func is not None:
        return func
    shown = name[:_SHOWN_NAME_LENGTH]
    raise AgentException(
        f"There is no function {shown} here.",
        "ERR_FUNC_NOT_DEFINED",
        f"The agent has no func {shown!r}.",
        HTTPStatus.NOT_FOUND,
        func_name=shown,
        available_funcs=[known for known in funcs if not known.startswith("_")],
    )


async def _func_json(func: QueryFunc, query: AgentQuery, claims: VerifiedTokenClaims) -> bytes:
    """The first response; a func has only one."""
    async with contextlib.aclosing(func.responses(query, claims)) as responses:
        async for response in responses:
            return _json(response)
    raise ValueError("the func returned an empty iterable")


def _json(response: AgentResponse) -> bytes:
    """Raises ValueError when the author put something into the response that is not of its type."""
    return RESPONSE_ADAPTER.dump_json(response, warnings="error")


async def _call_corpus_func(served: _Served, request: Request, claims: VerifiedTokenClaims) -> Response:
    corpus_request = await request_bodies.read_corpus_request(request)
    name = request.path_params["func_name"]
    func = _found(served.agent._corpus_funcs, name)
    answer = _corpus_json(func, corpus_request, claims)
    content = await author_calls.attempt(f"corpus func {name}", answer, served.settings)
    return Response(content, media_type="application/json")


async def _corpus_json(func: CorpusFunc, request: CorpusRequest, claims: VerifiedTokenClaims) -> bytes:
    response = await func.respond(request, claims)
    return await asyncio.to_thread(_encode_corpus, response)


def _encode_corpus(response: CorpusResponse) -> bytes:
    return json.dumps(response.to_dict(), allow_nan=False).encode("ascii")


async def _answer_query(
    handle_message: QueryFunc, served: _Served, request: Request, claims: VerifiedTokenClaims
) -> Response:
    """NDJSON, each line as soon as the agent has it. The first decides about the status."""
    query = await request_bodies.read_query(request)
    lines = _response_lines(handle_message, query, claims)
    try:
        first = await author_calls.attempt(_HANDLE_MESSAGE, anext(lines, None), served.settings)
    except BaseException:
        await lines.aclose()
        raise
    return StreamingResponse(_ended(first, lines, served.settings), media_type="application/json")


async def _response_lines(
    handle_message: QueryFunc, query: AgentQuery, claims: VerifiedTokenClaims
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(handle_message.responses(query, claims)) as responses:
        async for response in responses:
            yield _json(response) + b"\n"


async def _ended(
    first: bytes | None, lines: AsyncGenerator[bytes, None], settings: CallSettings
) -> AsyncGenerator[bytes, None]:
    """The lines; when the agent fails on the way, the last one is its error."""
    line = first
    async with contextlib.aclosing(lines):
        try:
            while line is not None:
                yield line
                line = await author_calls.attempt(_HANDLE_MESSAGE, anext(lines, None), settings)
        except AgentException as error:
            yield _error_json(error, settings) + b"\n"


def _error_response(error: AgentException, settings: CallSettings) -> Response:
    content = _error_json(error, settings)
    return Response(content, author_calls.status_of(error), media_type="application/json")


def _error_json(error: AgentException, settings: CallSettings) -> bytes:
    """Always succeeds: of details that are not JSON, what `repr` says of them is left, or nothing."""
    response = author_calls.error_response(error, settings)
    try:
        return RESPONSE_ADAPTER.dump_json(response, fallback=repr, warnings="error")
    except ValueError:
        message = {"text": str(error.response_message), "embeds": {}}
        problem = {"code": str(error.error_code), "message": str(error.error_message), "details": {}}
        return json.dumps({"message": message, "error": problem}).encode("ascii")
