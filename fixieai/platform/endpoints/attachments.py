"""Embeds of a session: listing them, adding a file, and the addresses from which anybody may fetch one."""

import contextlib
import mimetypes
import pathlib
import re
import tempfile
import urllib.parse
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import IO, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fixieai import errors
from fixieai.platform.auth import Caller
from fixieai.platform.embeds import PERSON
from fixieai.platform.endpoints import inputs
from fixieai.platform.journal import load_embeds
from fixieai.platform.services import platform_of
from fixieai.protocol.embeds import Embed
from fixieai.storage import ids
from fixieai.storage.embeds import NewEmbed, StoredEmbed
from fixieai.storage.messages import Message

_NOT_A_WORD = re.compile(r"\W")
_KEY = re.compile(r"\w{1,64}")
_CONTENT_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,80}(?:; *[\w-]{1,30}=[\w.+\"-]{1,60}){0,3}", re.ASCII)
_ANY_BYTES = "application/octet-stream"
_IN_MEMORY_BYTES = 1024 * 1024
# Whatever it is: it is not shown as a page of this server, and runs nothing.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}


def base_url(request: Request) -> str:
    """How whoever asks reaches this platform."""
    url = platform_of(request).settings.public_url
    if url is not None and urllib.parse.urlsplit(url).netloc == request.url.netloc:
        return url
    return str(request.base_url).rstrip("/")


def embeds_json(request: Request, caller: Caller, embeds: Mapping[str, Embed]) -> dict[str, dict[str, str]]:
    """What a message carries, as it is told to clients: addresses from which they can fetch it."""
    if not embeds:
        return {}
    shown = platform_of(request).embeds.shown(caller.user_id, embeds, base_url(request))
    return {key: {"content_type": embed.content_type, "uri": embed.uri} for key, embed in shown.items()}


async def list_embeds(request: Request, caller: Caller) -> Response:
    """All that was attached in a session, the oldest first."""
    limit = inputs.page_size(request)
    platform = platform_of(request)
    session = await platform.sessions.find(caller, request.path_params["handle"])
    after = request.query_params.get("after")
    found = await platform.embeds.page(caller, session, after, limit)
    following = str(found[-1].id) if len(found) == limit else None
    embeds = [_embed_json(request, caller, stored) for stored in found]
    if after is None:
        older = await platform.sessions.messages_with_embeds(caller, session.handle, 0, limit)
        embeds = [each for message in older for each in _written_out(message)] + embeds
    return JSONResponse({"embeds": embeds, "next": following})


def _written_out(message: Message) -> list[dict[str, Any]]:
    """What earlier versions stored in the message itself."""
    return [
        {
            "key": key,
            "embed": {
                "id": f"{message.id}:{key}",
                "contentType": embed.content_type,
                "created": message.created,
                "url": embed.uri,
            },
        }
        for key, embed in load_embeds(message.embeds).items()
        if embed.uri[:5].lower() == "data:"
    ]


def _embed_json(request: Request, caller: Caller, stored: StoredEmbed) -> dict[str, Any]:
    return {
        "key": stored.key,
        "embed": {
            "id": str(stored.id),
            "contentType": stored.content_type,
            "contentHash": stored.content_hash,
            "size": stored.size,
            "created": stored.created,
            "owner": {"username": caller.username},
            "sentBy": {"handle": stored.sender},
            "url": platform_of(request).embeds.address(caller.user_id, stored, base_url(request)),
        },
    }


async def upload_embed(request: Request, caller: Caller) -> Response:
    """The body is the file, `?key=` what texts name it by, and Content-Type what it is."""
    key = request.query_params.get("key", "")
    if not _KEY.fullmatch(key):
        raise errors.UnprocessableContent("key: must be 1 to 64 letters, digits or underscores")
    content_type = request.headers.get("content-type", _ANY_BYTES)
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise errors.UnsupportedContent("Send a Content-Type like image/png.")
    embeds, handle = platform_of(request).embeds, request.path_params["handle"]
    await platform_of(request).sessions.find(caller, handle)  # before a body is read for nothing
    new = NewEmbed(ids.new_id(), key, PERSON, content_type)
    async with _received(request) as content:
        stored = await embeds.upload(caller, handle, new, content)
    return JSONResponse(_embed_json(request, caller, stored), status_code=201)


@contextlib.asynccontextmanager
async def _received(request: Request) -> AsyncIterator[bytes | pathlib.Path]:
    """The body: in memory while it is small, else in a file until the block ends."""
    received = bytearray()
    with _no_room(), contextlib.ExitStack() as stack:
        file: IO[bytes] | None = None
        async for piece in request.stream():
            received += piece
            if len(received) >= _IN_MEMORY_BYTES:
                file = file or stack.enter_context(tempfile.NamedTemporaryFile(prefix="fixie-upload-"))
                file.write(received)  # into the page cache: quicker than asking a thread to
                received.clear()
        if file is not None:
            file.write(received)
            file.flush()
        yield pathlib.Path(file.name) if file else bytes(received)


@contextlib.contextmanager
def _no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.StorageFull("The platform has no room to receive this file.") from error


async def send_attachment(request: Request) -> Response:
    """The bytes of an embed, to anybody who has an address of it that has not ended."""
    embeds = platform_of(request).embeds
    stored, seconds = await embeds.at_address(request.path_params["token"])
    is_plain = _CONTENT_TYPE.fullmatch(stored.content_type) is not None
    content_type = stored.content_type if is_plain else _ANY_BYTES
    headers = {
        **_HEADERS,
        "Cache-Control": f"private, max-age={seconds}, immutable",
        "Content-Disposition": _disposition(stored.key, content_type),
        "Content-Length": str(stored.size),
        "Content-Type": content_type,
        "ETag": f'"{stored.content_hash}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    pieces = embeds.stream(stored)
    first = await anext(pieces, b"")  # what is missing is a 404, not half an answer
    return StreamingResponse(_chained(first, pieces), headers=headers)


async def _chained(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


def _disposition(key: str, content_type: str) -> str:
    extension = mimetypes.guess_extension(content_type.partition(";")[0]) or ""
    name = urllib.parse.quote(_NOT_A_WORD.sub("_", key) + extension, safe="")
    return f"attachment; filename*=UTF-8''{name}"
