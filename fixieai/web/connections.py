"""HTTP connections with deadlines: uvicorn's httptools protocol, which has none of its own.

What a client sends is always in one of four phases:

    IDLE     nothing of a request yet; uvicorn's keep-alive timer ends it
    HEAD     a head has begun (or a new connection owes its first): `head_seconds`
    BODY     `body_seconds` since the last byte, `whole_body_seconds` in all; once the answer is
             out, what is left of the body is thrown away for `leftover_seconds` and no longer
    REFUSED  unreadable or late: earlier answers are still given, then the refusal, then the
             connection is half-closed and drained for `linger_seconds` (a plain close would
             reset it, and the client would never read why)

While we do not read (the application is behind, or earlier requests are being answered), the
client is not late. One timer per connection looks at these and sets itself again; a request
costs no timer.
"""

import asyncio
import enum
import math
from dataclasses import dataclass, field
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from fixieai import errors
from fixieai.errors import FixieError
from fixieai.web import problems
from fixieai.web.references import new_reference


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long and how much a client may take.

    Attributes:
        unread_seconds: for a client that does not read its answer.
        drain_seconds: at shutdown, how long an idle connection may still bring a request, so that
            one already on its way is answered; the same after a stream that had promised to stay open.
        maximum_connections: beyond it a new connection takes the place of an idle one, or gets 503.
        maximum_pipelined: requests waiting behind the one being answered.
    """

    head_seconds: float = 10.0
    body_seconds: float = 20.0
    whole_body_seconds: float = 600.0
    leftover_seconds: float = 10.0
    unread_seconds: float = 60.0
    linger_seconds: float = 2.0
    drain_seconds: float = 0.3
    maximum_head_bytes: int = 64 * 1024
    maximum_connections: int = 700
    maximum_pipelined: int = 16


class Phase(enum.Enum):
    IDLE = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    REFUSED = enum.auto()


@dataclass(slots=True)
class _Incoming:
    """What the client is sending: since when, and its last progress, in loop time."""

    phase: Phase
    since: float
    progress: float
    head_bytes: int = 0
    heads: int = 0
    refusal: FixieError = field(default_factory=errors.BadRequest)

    def enter(self, phase: Phase, now: float) -> None:
        self.phase = phase
        self.since = self.progress = now


# An idle connection is nobody's for at least this long before another may take its place.
_SETTLED_SECONDS = 0.5
# So many more, as a share of the maximum, are told so with a 503; those beyond are cut off.
_SHARE_BEYOND = 7
_NOT_HTTP = "The request is not valid HTTP/1.1."


class LimitedProtocol(HttpToolsProtocol):
    """See the module. `with_limits` makes the class to pass as `uvicorn.Config(http=...)`."""

    limits = ConnectionLimits()
    # Of a server that is about to stop: every answer ends its connection.
    is_leaving = False
    # Of a server that stops: a connection that was still being accepted then is told so once it is made.
    is_stopping = False

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        now = self.loop.time()
        self.incoming = _Incoming(Phase.HEAD, now, now)
        self._due = 0  # answers still to be given
        self._answering: RequestResponseCycle | None = None
        self._unread_since: float | None = None
        self._is_draining = False
        self._timer: asyncio.TimerHandle | None = None

    # The transport's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_again_in(self.limits.head_seconds)
        if len(self.connections) > self.limits.maximum_connections:
            self._make_room()
        if self.is_stopping:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)
        # uvicorn tells the request that came last; it may be another one that is being answered.
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def data_received(self, data: bytes) -> None:
        incoming = self.incoming
        if incoming.phase is Phase.REFUSED:
            return
        self._unset_keepalive_if_required()
        now = self.loop.time()
        if incoming.phase is Phase.IDLE:
            self._begin_head(now)
        incoming.progress = now
        heads = incoming.heads if incoming.phase is Phase.HEAD else -1
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Answered as the plain request it is; what follows is another protocol's.
            self.cycle.keep_alive = False
            self._refuse(errors.BadRequest(_NOT_HTTP))
        except httptools.HttpParserError:
            self._refuse(errors.BadRequest(_NOT_HTTP))
        else:
            if incoming.phase is Phase.HEAD and incoming.heads == heads:
                self._count_head(len(data))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = None

    # The parser's side

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.incoming.phase is Phase.IDLE:
            self._begin_head(self.loop.time())

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers would otherwise join the headers after these were checked.
        if self.incoming.phase is Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and _has_body(self.headers):
            raise ValueError("httptools gives no body to a request that asks for an upgrade")
        if len(self.pipeline) >= self.limits.maximum_pipelined:
            raise ValueError("too many requests at once")
        super().on_headers_complete()
        self._due += 1
        self.incoming.heads += 1
        self.incoming.enter(Phase.BODY, self.loop.time())
        if self._is_draining or self.is_leaving:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self.incoming.enter(Phase.IDLE, self.loop.time())
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._due -= 1
        if self.incoming.phase is Phase.IDLE:
            self.incoming.since = self.loop.time()
        super().on_response_complete()
        if self.incoming.phase is Phase.REFUSED:
            self._unset_keepalive_if_required()
            if self._due == 0:
                self._hang_up()
        elif self._is_draining and self._due == 0:
            self._look_again_in(self.limits.drain_seconds)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    # The server's side

    def shutdown(self) -> None:
        self._is_draining = True
        if self._due > 0:
            # A head that is out has not said that the connection ends with its answer.
            self.cycle.keep_alive = self.cycle.keep_alive and self.cycle.response_started
        elif self.incoming.phase is not Phase.REFUSED:
            self._look_again_in(self.limits.drain_seconds)

    def is_replaceable(self, now: float) -> bool:
        """Whether another connection may take this one's place."""
        is_waiting = self._due == 0 and self.incoming.phase is not Phase.BODY
        return is_waiting and now - self.incoming.since > _SETTLED_SECONDS and not self.transport.is_closing()

    # Ours

    def _begin_head(self, now: float) -> None:
        self.incoming.enter(Phase.HEAD, now)
        self.incoming.head_bytes = 0

    def _count_head(self, size: int) -> None:
        self.incoming.head_bytes += size
        if self.incoming.head_bytes > self.limits.maximum_head_bytes:
            self._refuse(errors.HeadersTooLarge())

    def _make_room(self) -> None:
        now = self.loop.time()
        for other in self.connections:
            if isinstance(other, LimitedProtocol) and other is not self and other.is_replaceable(now):
                other.transport.close()
                return
        maximum = self.limits.maximum_connections
        if len(self.connections) > maximum + maximum // _SHARE_BEYOND + 1:
            self.transport.abort()
        else:
            self._refuse(errors.ServiceUnavailable("Too many connections; try again shortly."))

    def _refuse(self, error: FixieError) -> None:
        """Reads nothing more; answers `error` and hangs up once the answers that are due were given."""
        incoming = self.incoming
        spoiled = self.cycle if incoming.phase is Phase.BODY else None
        incoming.enter(Phase.REFUSED, self.loop.time())
        incoming.refusal = error
        if spoiled is not None and not spoiled.response_complete:
            self._due -= 1
            spoiled.disconnected = True  # for the application its client went away
            spoiled.waiting_for_100_continue = False
            spoiled.message_event.set()
            if spoiled.response_started:
                self.transport.close()
        if self._due == 0:
            self._hang_up()

    def _hang_up(self) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(_as_bytes(self.incoming.refusal))
        self.transport.write_eof()
        self.flow.resume_reading()
        self.incoming.since = self.loop.time()
        self._look_again_in(self.limits.linger_seconds)

    def _look_again_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if self._is_client_waiting():
            self.incoming.progress = self.incoming.since = now
        if self.transport.is_closing() and self._unread_since is None:
            self._unread_since = now
        unread_until = (
            math.inf if self._unread_since is None else self._unread_since + self.limits.unread_seconds
        )
        deadline = self._deadline()
        if now >= unread_until:
            self.transport.abort()
        elif now >= deadline:
            self._end_phase()
        else:
            # Never longer than the shortest phase: one that begins meanwhile is seen in time.
            shortest = min(self.limits.head_seconds, self.limits.body_seconds, self.limits.leftover_seconds)
            self._look_again_in(min(deadline - now, unread_until - now, shortest))

    def _is_client_waiting(self) -> bool:
        """Whether it is us who do not read, or have not yet asked for the body."""
        has_asked = self.incoming.phase is Phase.BODY and self.cycle.waiting_for_100_continue
        return self.flow.read_paused or has_asked

    def _deadline(self) -> float:
        incoming, limits = self.incoming, self.limits
        if incoming.phase is Phase.REFUSED:
            return math.inf if self._due else incoming.since + limits.linger_seconds
        if self._is_draining and self._due == 0:
            return 0.0
        if incoming.phase is Phase.BODY:
            whole = limits.leftover_seconds if self.cycle.response_complete else limits.whole_body_seconds
            return min(incoming.progress + limits.body_seconds, incoming.since + whole)
        return incoming.since + limits.head_seconds if incoming.phase is Phase.HEAD else math.inf

    def _end_phase(self) -> None:
        incoming = self.incoming
        is_late_head = incoming.phase is Phase.HEAD and incoming.head_bytes > 0
        is_late_body = incoming.phase is Phase.BODY and not self.cycle.response_complete
        if incoming.phase is Phase.REFUSED:
            self.transport.abort()
        elif is_late_head or is_late_body:
            self._refuse(problems.RequestTimeout())
        else:
            self.transport.close()
        if self._timer is not None and self._timer.when() <= self.loop.time():
            self._look_again_in(self.limits.unread_seconds)  # until the connection is gone

    def _unsupported_upgrade_warning(self) -> None:
        """Silence: an upgrade is the client's wish, not a fault of this server's installation."""


def with_limits(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """The protocol class for `uvicorn.Config(http=...)`."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0"))
        for name, value in headers
    )


def _as_bytes(error: FixieError) -> bytes:
    """A whole HTTP response, for where there is no request to answer through the application."""
    response = problems.respond(error, new_reference())
    headers = b"".join(name + b": " + value + b"\r\n" for name, value in response.raw_headers)
    body = bytes(response.body)
    return STATUS_LINE[response.status_code] + headers + b"connection: close\r\n\r\n" + body
