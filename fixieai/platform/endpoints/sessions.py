"""`/api/sessions`: a person's conversations and their messages."""

from typing import Any, NotRequired

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.endpoints.attachments import embeds_json
from fixieai.platform.journal import load_embeds, shown_text
from fixieai.platform.services import platform_of
from fixieai.storage.messages import Message
from fixieai.storage.sessions import Session


class NewSession(TypedDict):
    """`frontendAgentId` null or absent: the router chooses who answers."""

    frontendAgentId: NotRequired[str | None]


_NEW_SESSION = pydantic.TypeAdapter(NewSession)


def session_json(session: Session) -> dict[str, Any]:
    return {
        "handle": session.handle,
        "name": session.name,
        "frontendAgentId": session.frontend_agent_id,
        "created": session.created,
        "modified": session.modified,
    }


def message_json(request: Request, caller: Caller, message: Message) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "position": message.position,
        "text": shown_text(message.type, message.name, message.text),
        "type": message.type,
        "sentBy": {"handle": message.sender} if message.sender else None,
        "inReplyTo": {"id": str(message.in_reply_to)} if message.in_reply_to else None,
        "model": message.model,
        "timestamp": message.created,
        "embeds": embeds_json(request, caller, load_embeds(message.embeds)),
    }


async def list_sessions(request: Request, caller: Caller) -> Response:
    limit = inputs.page_size(request)
    found = await platform_of(request).sessions.page(caller, request.query_params.get("after"), limit)
    following = str(found[-1].id) if len(found) == limit else None
    return JSONResponse({"sessions": [session_json(session) for session in found], "next": following})


async def create_session(request: Request, caller: Caller) -> Response:
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    body = await inputs.read_body(request, _NEW_SESSION) if has_body else NewSession()
    session = await platform_of(request).sessions.create(caller, body.get("frontendAgentId"))
    return JSONResponse(session_json(session), status_code=201)


async def show_session(request: Request, caller: Caller) -> Response:
    return JSONResponse(session_json(await platform_of(request).sessions.find(caller, _handle(request))))


async def cancel_query(request: Request, caller: Caller) -> Response:
    await platform_of(request).sessions.cancel(caller, _handle(request))
    return Response(status_code=202)


async def delete_session(request: Request, caller: Caller) -> Response:
    await platform_of(request).sessions.delete(caller, _handle(request))
    return Response(status_code=204)


async def list_messages(request: Request, caller: Caller) -> Response:
    """From the first one on, or with `?before=` the newest ones before it (0: of all), in order."""
    limit = inputs.page_size(request)
    if "before" in request.query_params:
        return await _list_backwards(request, caller, limit)
    found = await platform_of(request).sessions.later_messages(
        caller, _handle(request), inputs.after_position(request), limit
    )
    following = found[-1].position if len(found) == limit else None
    return JSONResponse(
        {"messages": [message_json(request, caller, message) for message in found], "next": following}
    )


async def _list_backwards(request: Request, caller: Caller, limit: int) -> Response:
    found = await platform_of(request).sessions.newest_messages(
        caller, _handle(request), inputs.before_position(request) or None, limit
    )
    following = found[0].position if len(found) == limit else None
    return JSONResponse(
        {"messages": [message_json(request, caller, message) for message in found], "next": following}
    )


def _handle(request: Request) -> str:
    handle: str = request.path_params["handle"]
    return handle
