"""`GET /api/sessions/{handle}/events`: a session's messages as they come, as server-sent events."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fixieai import errors
from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.endpoints.access import bearer_token
from fixieai.platform.endpoints.queries import event_json
from fixieai.platform.endpoints.sessions import message_json
from fixieai.platform.feeds import Feed
from fixieai.platform.services import platform_of
from fixieai.storage.messages import RESPONSE, Message
from fixieai.storage.sessions import Session

_HEARTBEAT_SECONDS = 15.0
_OUTAGE_SECONDS = 1.0
_HEARTBEAT = b": still here\n\n"
_BEGINNING = b"retry: 1000\n\n"
_PIECE = 100
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def follow_session(request: Request, caller: Caller) -> Response:
    """From behind the message of the header Last-Event-ID, else of `?after=`, on and on.

    Messages are numbered by their position; an answer that is being written has no number, for
    it comes again as a message.
    """
    platform = platform_of(request)
    after = _after(request)
    session = await platform.sessions.find(caller, request.path_params["handle"])
    if request.method == "HEAD":  # it would never end
        return Response(headers=_HEADERS, media_type="text/event-stream")
    watching = contextlib.ExitStack()
    feed = watching.enter_context(platform.runner.relay.watch(caller.user_id, session.id))
    stream = _Stream(request, caller, session)
    return _Watching(stream.events(feed, after), watching)


def _after(request: Request) -> int:
    last = request.headers.get("last-event-id")
    if not last:
        return inputs.after_position(request)
    if not (last.isascii() and last.isdecimal() and len(last) < 16):
        raise errors.UnprocessableContent("Last-Event-ID: must be the number of an event of this stream")
    return int(last)


class _Watching(StreamingResponse):
    """Lets go of the feed however the stream ends, also when it never began."""

    def __init__(self, content: AsyncIterator[bytes], watching: contextlib.ExitStack) -> None:
        super().__init__(content, media_type="text/event-stream", headers=_HEADERS)
        self._watching = watching

    async def __call__(self, *arguments: Any) -> None:
        with self._watching:
            await super().__call__(*arguments)


class _Stream:
    """What one watcher is sent."""

    def __init__(self, request: Request, caller: Caller, session: Session) -> None:
        self._request = request
        self._platform = platform_of(request)
        self._caller = caller
        self._session = session
        self._token = bearer_token(request)
        self._position = 0
        self._is_quiet = False
        self._answered: int | None = None

    async def events(self, feed: Feed, after: int) -> AsyncIterator[bytes]:
        """Ends when the session is deleted, the key is not good any more, or the platform stops."""
        self._position = after
        yield _BEGINNING
        with contextlib.suppress(errors.NotFound, errors.Forbidden):
            while not feed.is_closed:
                for event in await self._news_or_patience(feed):
                    yield event
                if not feed.has_messages and not await feed.wait(_HEARTBEAT_SECONDS):
                    self._is_quiet = feed.has_messages = True  # nobody may have told of them

    async def _news_or_patience(self, feed: Feed) -> list[bytes]:
        """While the database is away the stream stays: browsers would not come back after a 503."""
        try:
            return await self._news(feed)
        except errors.ServiceUnavailable:
            feed.has_messages = True
            await feed.wait(_OUTAGE_SECONDS)
            return [_HEARTBEAT]

    async def _news(self, feed: Feed) -> list[bytes]:
        """A piece of it. Afterwards `feed.has_messages` says whether there may be more.

        Raises:
            Forbidden, NotFound: this ends the stream.
        """
        events = []
        await self._platform.auth.authenticate(self._token)
        if self._is_quiet:
            await self._platform.sessions.find(self._caller, self._session.handle)
            self._is_quiet = False
            events.append(_HEARTBEAT)
        if feed.has_messages:
            feed.has_messages = False
            found = await self._platform.sessions.later_messages(
                self._caller, self._session.handle, self._position, _PIECE
            )
            feed.has_messages |= len(found) == _PIECE
            events += [self._message(message) for message in found]
            for message in found:
                self._position = message.position
                self._answered = message.query_id if message.type == RESPONSE else self._answered
        partial, feed.partial = feed.partial, None
        # One that stood still elsewhere may go on writing what was answered meanwhile.
        if partial is not None and partial.query_id != self._answered:
            events.append(_event("partial", event_json(self._request, self._caller, partial)))
        return events

    def _message(self, message: Message) -> bytes:
        return _event("message", message_json(self._request, self._caller, message), message.position)


def _event(kind: str, content: dict[str, Any], number: int | None = None) -> bytes:
    first = "" if number is None else f"id: {number}\n"
    return f"{first}event: {kind}\ndata: {json.dumps(content)}\n\n".encode("ascii")
