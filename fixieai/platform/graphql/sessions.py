"""Sessions, their messages and what came with these."""

from typing import Any

from ariadne import MutationType, ObjectType, QueryType

from fixieai import errors
from fixieai.platform.graphql.context import LONGEST_LIST, Context
from fixieai.platform.graphql.pages import check_first, connection
from fixieai.platform.graphql.types import Info, Node
from fixieai.platform.graphql.users import user_node
from fixieai.platform.journal import load_embeds, shown_text
from fixieai.protocol.messages import Message as Question
from fixieai.storage.embeds import StoredEmbed
from fixieai.storage.messages import Message
from fixieai.storage.sessions import Session

query = QueryType()
mutation = MutationType()
session_type = ObjectType("SessionType")
message_type = ObjectType("MessageType")

BINDABLES = [query, mutation, session_type, message_type]
_ANY_AGENT = "None"


def session_node(session: Session) -> Node:
    return {
        "_id": session.id,
        "handle": session.handle,
        "name": session.name,
        "description": None,
        "frontendAgentId": session.frontend_agent_id,
        "created": session.created,
        "modified": session.modified,
    }


def message_node(message: Message) -> Node:
    return {
        "_embeds": message.embeds,
        "_in_reply_to": message.in_reply_to,
        "id": str(message.id),
        "text": shown_text(message.type, message.name, message.text),
        "type": message.type,
        "sentBy": {"handle": message.sender, "avatar": None} if message.sender else None,
        "timestamp": message.created,
        "position": message.position,
        "model": message.model,
    }


@query.field("allSessions")
async def all_sessions(_: Any, info: Info) -> list[Node]:
    context = info.context
    found = await context.platform.sessions.page(context.caller, None, LONGEST_LIST)
    context.count(len(found))
    return [session_node(session) for session in found]


@query.field("sessions")
async def sessions(_: Any, info: Info, first: int, after: str | None = None) -> Node:
    context = info.context
    found = await context.platform.sessions.page(context.caller, after, check_first(first) + 1)
    context.count(len(found))
    return connection(found, first, lambda session: session.id, session_node)


@query.field("sessionByHandle")
async def session_by_handle(_: Any, info: Info, handle: str) -> Node | None:
    try:
        return session_node(await info.context.platform.sessions.find(info.context.caller, handle))
    except errors.NotFound:
        return None


@session_type.field("messages")
async def messages(session: Node, info: Info) -> list[Node]:
    found = await info.context.newest_messages.load(session["_id"])
    return [message_node(message) for message in found or ()]


@session_type.field("messagesPage")
async def messages_page(session: Node, info: Info, first: int, after: str | None = None) -> Node:
    start = _position(after)
    until = start + check_first(first) + 1
    found = await info.context.message_pages.load((session["_id"], start, until))
    return connection(found or [], first, lambda message: message.position, message_node)


def _position(after: str | None) -> int:
    """Raises UnprocessableContent when it is not the cursor of a message."""
    if after is None:
        return 0
    if not (after.isascii() and after.isdecimal() and len(after) < 16):
        raise errors.UnprocessableContent("after: not a cursor of this listing")
    return int(after)


@message_type.field("attachments")
def attachments(message: Node, info: Info) -> list[Node]:
    context = info.context
    found = context.platform.embeds.shown(
        context.caller.user_id, load_embeds(message["_embeds"]), context.base_url
    )
    return [{"key": key, "contentType": embed.content_type, "url": embed.uri} for key, embed in found.items()]


@session_type.field("embeds")
async def embeds(session: Node, info: Info) -> list[Node]:
    context = info.context
    return [
        {"key": stored.key, "embed": _embed_node(stored, context)}
        for stored in await context.embeds.load(session["_id"]) or ()
    ]


def _embed_node(stored: StoredEmbed, context: Context) -> Node:
    return {
        "id": str(stored.id),
        "contentType": stored.content_type,
        "created": stored.created,
        "contentHash": stored.content_hash,
        "owner": user_node(context.caller.username, is_caller=True),
        "url": context.platform.embeds.address(context.caller.user_id, stored, context.base_url),
    }


@message_type.field("inReplyTo")
async def in_reply_to(message: Node, info: Info) -> Node | None:
    if message["_in_reply_to"] is None:
        return None
    found = await info.context.messages.load(message["_in_reply_to"])
    return message_node(found) if found else None


@mutation.field("createSession")
async def create_session(_: Any, info: Info, sessionData: Node | None = None) -> Node:  # noqa: N803 - the schema's name
    frontend_agent_id = (sessionData or {}).get("frontendAgentId")
    created = await info.context.platform.sessions.create(info.context.caller, frontend_agent_id)
    return {"session": session_node(created)}


@mutation.field("deleteSession")
async def delete_session(_: Any, info: Info, handle: str) -> Node:
    sessions = info.context.platform.sessions
    session = await sessions.find(info.context.caller, handle)
    await sessions.delete(info.context.caller, handle)
    return {"session": session_node(session)}


@mutation.field("sendSessionMessage")
async def send_session_message(_: Any, info: Info, messageData: Node) -> Node:  # noqa: N803 - the schema's name
    """What failed once it had begun is answered like the rest: the response says why."""
    sessions, caller = info.context.platform.sessions, info.context.caller
    session = await sessions.find(caller, messageData["session"])
    run = await sessions.ask(caller, _ANY_AGENT, session.handle, Question(messageData["text"]))
    await run.begun()
    await run.result()
    found = await sessions.exchange(caller, session, run.query_id or 0)
    for message in found:
        info.context.messages.put(message.id, message)
    nodes = [message_node(message) for message in found]
    return {"message": nodes[0] if nodes else None, "response": nodes[1] if len(nodes) > 1 else None}
