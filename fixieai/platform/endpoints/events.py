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
from fixieai.platform.services import Platform, platform_of
from fixieai.storage.sessions import Session

_HEARTBEAT_SECONDS = 15.0
_HEARTBEAT = b": still here\n\n"
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
    watching = contextlib.ExitStack()
    feed = watching.enter_context(platform.runner.feeds.watch(caller.user_id, session.id))
    stream = _Stream(platform, caller, session, bearer_token(request))
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

    def __init__(self, platform: Platform, caller: Caller, session: Session, token: str) -> None:
        self._platform = platform
        self._caller = caller
        self._session = session
        self._token = token

    async def events(self, feed: Feed, position: int) -> AsyncIterator[bytes]:
        """Ends when the session is deleted, the key is not good any more, or the platform stops."""
        yield b"retry: 1000\n\n"
        with contextlib.suppress(errors.NotFound, errors.Forbidden):
            while not feed.is_closed:
                while feed.has_messages:
                    async for position, event in self._messages(feed, position):
                        yield event
                if feed.partial is not None:
                    partial, feed.partial = feed.partial, None
                    yield _event("partial", event_json(partial))
                if not await feed.wait(_HEARTBEAT_SECONDS):
                    await self._check()
                    yield _HEARTBEAT

    async def _messages(self, feed: Feed, position: int) -> AsyncIterator[tuple[int, bytes]]:
        """A piece of what is there; `feed.has_messages` says whether there may be more."""
        feed.has_messages = False
        found = await self._platform.sessions.later_messages(
            self._caller, self._session.handle, position, _PIECE
        )
        feed.has_messages |= len(found) == _PIECE
        for message in found:
            yield message.position, _event("message", message_json(message), message.position)

    async def _check(self) -> None:
        """Raises what ends the stream."""
        await self._platform.auth.authenticate(self._token)
        await self._platform.sessions.find(self._caller, self._session.handle)


def _event(kind: str, content: dict[str, Any], number: int | None = None) -> bytes:
    first = "" if number is None else f"id: {number}\n"
    return f"{first}event: {kind}\ndata: {json.dumps(content)}\n\n".encode("ascii")
