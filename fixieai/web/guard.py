"""The outermost layer of both servers: what it refuses is never parsed, routed or authorised.

In order: the method and the target, the size of the head, headers that may come only once, the
host (against DNS rebinding), the page a browser sends from, the encoding and the declared length
of the body. The body is counted while it is read. Whatever the application raises and does not
answer ends here, as a JSON 500 with a reference under which the log has the traceback.
"""

import asyncio
import logging
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fixieai import errors
from fixieai.errors import FixieError
from fixieai.web import problems
from fixieai.web.references import new_reference

REFERENCE_HEADER = b"x-request-reference"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HTTP_VERSIONS = ("1.1", "1.0")
_ONLY_ONCE = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"origin",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"transfer-encoding",
    }
)
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")

_logger = logging.getLogger("fixieai.web")


class MalformedAuthorization(errors.Forbidden):
    """Send one `Authorization: Bearer <key>` header."""


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What the guard lets pass. Sizes in bytes.

    Attributes:
        hosts: the names this server answers to, each with a port ("localhost:8180": that port
            only) or without one (any port); None: any.
        probes: paths that are answered whatever `Host` names, or whether there is one.
        origins: in local mode the origins of the server's own pages ("http://127.0.0.1:8180");
            a browser's request from any other page is refused. None: not checked.
        maximum_header_bytes: of all headers and the target together.
        body_limits: caps on bodies that differ from `maximum_body_bytes`: (prefix of the path, cap),
            the first that fits counts.
        render: turns a refusal and its reference into the response.
    """

    hosts: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    probes: frozenset[str] = frozenset()
    methods: frozenset[str] = _METHODS
    maximum_headers: int = 100
    maximum_header_bytes: int = 32 * 1024
    maximum_body_bytes: int = 8 * 1024 * 1024
    body_limits: tuple[tuple[str, int], ...] = ()
    render: problems.ErrorRenderer = problems.respond


class Guard:
    """ASGI application around `app`; see the module."""

    def __init__(self, app: ASGIApp, settings: GuardSettings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = _encoded(settings.hosts)
        self._origins = _encoded(settings.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, _Exchange(send, new_reference()))
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        scope[problems.REFERENCE_KEY] = exchange.reference
        try:
            limit = self._admit(scope)
            await self._app(scope, receive if limit is None else _counted(receive, limit), exchange.send)
        except FixieError as error:
            problems.log_failure(error, exchange.reference)
            await self._refuse(scope, receive, exchange, error)
        except ClientDisconnect:
            _logger.debug("%s: the client went away", exchange.reference)
        except asyncio.CancelledError:  # the server's grace time is over
            await self._refuse(scope, receive, exchange, errors.ServiceUnavailable())
            raise
        except Exception:
            _logger.exception("%s: unhandled exception", exchange.reference)
            await self._refuse(scope, receive, exchange, FixieError())

    async def _refuse(self, scope: Scope, receive: Receive, exchange: "_Exchange", error: FixieError) -> None:
        """Answers, unless an answer is under way: a server that gets only part of one hangs up."""
        if not exchange.is_started:
            await self._settings.render(error, exchange.reference)(scope, receive, exchange.send)

    def _admit(self, scope: Scope) -> int | None:
        """The most bytes the body may have; None where there is no body."""
        settings = self._settings
        if scope["method"] not in settings.methods:
            raise problems.MethodNotAllowed
        _check_target(scope)
        target_bytes = len(scope["path"]) + len(scope["query_string"])
        once = _read_headers(scope["headers"], settings.maximum_header_bytes - target_bytes)
        if len(scope["headers"]) > settings.maximum_headers:
            raise errors.HeadersTooLarge(f"The request has more than {settings.maximum_headers} headers.")
        if scope["path"] not in settings.probes:
            self._check_host(scope, once.get(b"host"))
        if self._origins is not None and (b"origin" in once or b"sec-fetch-site" in once):
            _check_page(self._origins, scope, once)
        if b"authorization" in once:
            _check_authorization(once[b"authorization"])
        if b"content-encoding" in once:
            _check_encoding(once[b"content-encoding"])
        if b"content-length" in once or b"transfer-encoding" in once:
            return self._body_limit(scope["path"], once)
        return None

    def _check_host(self, scope: Scope, host: bytes | None) -> None:
        if host is None:
            if self._hosts is None and scope["http_version"] == "1.0":
                return
            raise errors.BadRequest("The Host header is missing.")
        if self._hosts is None or host in self._hosts:
            return
        host = host.lower()
        name, _, port = host.rpartition(b":")
        if host not in self._hosts and not (port.isdigit() and name in self._hosts):
            raise errors.MisdirectedRequest

    def _body_limit(self, path: str, once: dict[bytes, bytes]) -> int:
        settings = self._settings
        caps = (cap for prefix, cap in settings.body_limits if path.startswith(prefix))
        limit = next(caps, settings.maximum_body_bytes)
        if b"transfer-encoding" in once and once[b"transfer-encoding"].lower() != b"chunked":
            raise errors.UnsupportedContent("The only Transfer-Encoding understood is chunked.")
        if b"content-length" in once and _read_length(once[b"content-length"]) > limit:
            raise _too_large(limit)
        return limit


class _Exchange:
    """One request's answer: adds the guard's headers, and knows whether it has begun."""

    __slots__ = ("_send", "is_started", "reference")

    def __init__(self, send: Send, reference: str) -> None:
        self._send = send
        self.reference = reference
        self.is_started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_started = True
            reference = (REFERENCE_HEADER, self.reference.encode("ascii"))
            message["headers"] = [*message.get("headers", ()), reference, _NO_SNIFFING]
        await self._send(message)


def _encoded(names: frozenset[str] | None) -> frozenset[bytes] | None:
    return None if names is None else frozenset(name.lower().encode("ascii") for name in names)


def _counted(receive: Receive, limit: int) -> Receive:
    total = 0

    async def counted_receive() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_large(limit)
        return message

    return counted_receive


def _too_large(limit: int) -> errors.ContentTooLarge:
    return errors.ContentTooLarge(f"The request body is larger than {limit:,} bytes.")


def _check_page(origins: frozenset[bytes], scope: Scope, once: dict[bytes, bytes]) -> None:
    """No CORS: a browser may send here only from this server's own pages, or by following a link."""
    if b"origin" in once:
        is_own = once[b"origin"].lower() in origins
    elif once[b"sec-fetch-site"] in (b"same-origin", b"none"):
        is_own = True
    else:
        is_link = once.get(b"sec-fetch-mode") == b"navigate" and once.get(b"sec-fetch-dest") == b"document"
        is_own = is_link and scope["method"] in ("GET", "HEAD")
    if not is_own:
        raise errors.Forbidden("Requests from web pages elsewhere are not answered here.")


def _check_target(scope: Scope) -> None:
    """A path, in UTF-8 and without NUL: no two targets may become one by lenient decoding."""
    if scope["http_version"] not in _HTTP_VERSIONS:
        raise errors.BadRequest("Speak HTTP/1.1.")
    if not scope["path"].startswith("/"):
        raise errors.BadRequest("The request target must be a path.")
    target: bytes = scope.get("raw_path") or b""
    if scope["query_string"]:
        target = target + b"?" + scope["query_string"]
    if b"%" not in target:
        return
    try:
        text = urllib.parse.unquote_to_bytes(target).decode("utf-8")
    except UnicodeDecodeError:
        raise errors.BadRequest("The path or the query is not percent-encoded UTF-8.") from None
    if "\0" in text:
        raise errors.BadRequest("The path or the query holds a NUL character.")


def _read_headers(headers: Iterable[tuple[bytes, bytes]], maximum_bytes: int) -> dict[bytes, bytes]:
    """The headers that may come only once."""
    size = 0
    once: dict[bytes, bytes] = {}
    for name, value in headers:
        size += len(name) + len(value)
        if name in _ONLY_ONCE:
            if name in once:
                raise _repeated(name)
            once[name] = value
    if size > maximum_bytes:
        raise errors.HeadersTooLarge
    return once


def _repeated(name: bytes) -> FixieError:
    if name == b"authorization":
        return MalformedAuthorization()
    return errors.BadRequest(f"The header {name.decode('ascii')} came more than once.")


def _check_authorization(value: bytes) -> None:
    """Printable ASCII that begins with a scheme. Which scheme and key, the application decides."""
    text = value.decode("latin-1")
    scheme = text.partition(" ")[0]
    if text and not (text.isascii() and text.isprintable() and scheme.replace("-", "").isalnum()):
        raise MalformedAuthorization


def _check_encoding(value: bytes) -> None:
    if value.strip().lower() not in (b"", b"identity"):
        raise errors.UnsupportedContent("Compressed request bodies are not accepted.")


def _read_length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise errors.BadRequest("The Content-Length is not a number of bytes.")
    return int(value)
