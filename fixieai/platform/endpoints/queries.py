"""`POST /api/agents/{owner}/{handle}`: asking, in one piece or as a stream of lines."""

import json
import math
from collections.abc import AsyncIterator
from typing import Annotated, Any, NotRequired

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from typing_extensions import TypedDict

from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.endpoints.attachments import embeds_json
from fixieai.platform.runs import Event, Run
from fixieai.platform.services import platform_of
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.protocol.transcript import LineKind

_MAXIMUM_EMBEDS = 64


class QueryEmbed(TypedDict):
    """An attachment of the person's message."""

    content_type: Annotated[str, pydantic.Strict()]
    uri: Annotated[str, pydantic.Strict()]


class QueryMessage(TypedDict):
    """The person's message."""

    text: Annotated[str, pydantic.Strict()]
    embeds: NotRequired[Annotated[dict[str, QueryEmbed], pydantic.Field(max_length=_MAXIMUM_EMBEDS)] | None]


class QueryBody(TypedDict):
    """`session` null or absent: a session of its own. `steps`: a stream shows them too."""

    message: QueryMessage
    session: NotRequired[str | None]
    stream: NotRequired[bool]
    steps: NotRequired[bool]


_QUERY = pydantic.TypeAdapter(QueryBody)


def event_json(request: Request, caller: Caller, event: Event) -> dict[str, Any]:
    """One line of the stream."""
    content: dict[str, Any] = {
        "message": {"text": event.text, "embeds": embeds_json(request, caller, event.embeds)},
        "type": event.type,
        "sentBy": {"handle": event.sender},
    }
    if event.model is not None:
        content["model"] = event.model
    if event.is_final:
        content["final"] = True
        content["error"] = _error_json(event)
    return content


def _error_json(event: Event) -> dict[str, str] | None:
    if event.failure is None:
        return None
    return {"code": event.failure.code, "message": event.failure.message}


async def ask_agent(request: Request, caller: Caller) -> Response:
    """Path: `owner/handle`, a bare handle, or `None` for whichever agent the session or the router says.

    What keeps a query from beginning is told by the status, also of a stream.
    """
    owner, handle = request.path_params.get("owner"), request.path_params["handle"]
    body = await inputs.read_body(request, _QUERY)
    message = _message(body["message"])
    platform = platform_of(request)
    run = await platform.sessions.ask(
        caller, f"{owner}/{handle}" if owner else handle, body.get("session"), message
    )
    headers = platform.usage.query_headers(await run.begun())
    if body.get("stream"):
        lines = _lines(request, caller, run, shows_steps=body.get("steps", False))
        return StreamingResponse(lines, headers=headers, media_type="application/x-ndjson")
    return await _whole(request, caller, run, headers)


def _message(body: QueryMessage) -> Message:
    embeds = body.get("embeds") or {}
    return Message(
        body["text"], {key: Embed(each["content_type"], each["uri"]) for key, each in embeds.items()}
    )


async def _lines(request: Request, caller: Caller, run: Run, *, shows_steps: bool) -> AsyncIterator[bytes]:
    """Without steps each line is the answer so far: the original's console prints what is new in each."""
    async for event in run.follow():
        if not shows_steps and event.type != LineKind.RESPONSE:
            continue
        content = event_json(request, caller, event)
        if event.is_final:
            content["session"] = run.session
        yield json.dumps(content).encode("utf-8") + b"\n"


async def _whole(request: Request, caller: Caller, run: Run, headers: dict[str, str]) -> Response:
    event = await run.result()
    failure = event.failure
    if failure is not None and failure.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(failure.retry_after)))
    return JSONResponse(
        {"error": None, **event_json(request, caller, event), "session": run.session},
        status_code=failure.status if failure else 200,
        headers=headers,
    )
