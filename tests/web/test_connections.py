import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

import pytest
from starlette.types import Receive, Scope, Send

from fixieai.web.connections import ConnectionLimits
from fixieai.web.guard import Guard
from fixieai.web.server import BackgroundServer, ServerSettings

SHORT = ConnectionLimits(
    head_seconds=1.0,
    body_seconds=1.0,
    whole_body_seconds=3.0,
    leftover_seconds=1.0,
    unread_seconds=1.0,
    linger_seconds=5.0,
)
# No limit of `SHORT` takes as long, on however slow a machine.
LONG = 9.0
GET = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
END = b"}"  # of the answer to either


@pytest.fixture(scope="module")
def server(serve: Callable[..., BackgroundServer], guarded: Callable[..., Guard]) -> BackgroundServer:
    return serve(guarded(), ServerSettings(grace_seconds=1, limits=SHORT))


def test_a_head_that_does_not_end_gets_408_and_an_end(server, connect) -> None:
    connection = connect(server)
    connection.send(b"GET /echo HTTP/1.1\r\nX-Slow: ")
    reply = connection.read()
    assert 0.9 < connection.seconds() < LONG
    assert (reply.status, reply.is_closed, reply.error["code"]) == (408, True, "request_timeout")


def test_a_head_that_trickles_gets_no_more_time(server, connect) -> None:
    connection = connect(server)
    connection.send(b"GET /echo HTTP/1.1\r\n")
    while not connection.read(silence=0.05).raw:
        connection.send(b"X-A: 1\r\n")
        assert connection.seconds() < LONG


def test_a_connection_that_sends_nothing_is_closed_without_a_word(server, connect) -> None:
    connection = connect(server)
    reply = connection.read()
    assert connection.seconds() < LONG
    assert (reply.raw, reply.is_closed) == (b"", True)


def test_blank_lines_do_not_keep_a_connection_open(server, connect) -> None:
    connection = connect(server)
    connection.send(GET)
    assert connection.read(until=END).status == 200
    with contextlib.suppress(ConnectionError):
        while not connection.read(silence=0.05).is_closed:
            connection.send(b"\r\n")
            assert connection.seconds() < LONG


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf"]
)
def test_a_body_that_stops_gets_408_and_an_end(server, connect, framing: bytes) -> None:
    connection = connect(server)
    connection.send(POST + framing)
    reply = connection.read()
    assert 0.9 < connection.seconds() < LONG
    assert (reply.status, reply.is_closed) == (408, True)


def test_a_body_that_keeps_coming_may_take_longer_than_one_pause_but_not_for_ever(server, connect) -> None:
    connection = connect(server)
    connection.send(POST + b"Content-Length: 100000\r\n\r\n")
    while not connection.read(silence=0.1).statuses:
        connection.send(b"a")
        assert connection.seconds() < LONG
    assert connection.seconds() > 2.5


def test_a_client_is_not_late_while_the_application_does_not_read(serve, connect) -> None:
    async def slow_reader(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(1.5)
            size = 0
            while (message := await receive()).get("more_body"):
                size += len(message["body"])
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})

    server = serve(slow_reader, ServerSettings(grace_seconds=1, limits=SHORT))
    whole, asking = connect(server), connect(server)
    whole.send(POST + b"Content-Length: 200000\r\n\r\n" + b"a" * 200_000)
    asking.send(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert asking.read(until=b"\r\n\r\n").raw.startswith(b"HTTP/1.1 100 ")
    asking.send(b"abc")
    assert asking.read(until=b"\r\n\r\n").status == 200
    assert whole.read(until=b"\r\n\r\n").status == 200


def test_the_rest_of_a_body_that_nobody_reads_is_waited_for_a_moment_only(server, connect) -> None:
    connection = connect(server)
    connection.send(b"POST /ignore-body HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf")
    assert connection.read(until=END).status == 200
    assert connection.read().is_closed
    assert connection.seconds() < LONG


def test_a_client_that_never_reads_does_not_hold_the_application(serve, connect) -> None:
    ended = threading.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while not ended.is_set():
                await send({"type": "http.response.body", "body": b"a" * 65536, "more_body": True})
                if (message := await _poll(receive)) and message["type"] == "http.disconnect":
                    ended.set()
        finally:
            ended.set()

    async def _poll(receive: Receive):
        try:
            return await asyncio.wait_for(receive(), 0.001)
        except TimeoutError:
            return None

    connection = connect(serve(endless, ServerSettings(grace_seconds=1, limits=SHORT)))
    connection.send(GET)
    assert ended.wait(30)


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        POST + b"Content-Length: 3, 3\r\n\r\nabc",
        POST + b"Content-Length: -3\r\n\r\nabc",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc",
        POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /echo HTTP/1.1\nHost: a\n\n",
        b"GET /echo HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"garbage\r\n\r\n",
    ],
)
def test_what_is_not_clearly_http_gets_400_and_an_end(server, talk, data: bytes) -> None:
    reply = talk(server, data)
    assert (reply.status, reply.is_closed, reply.error["code"]) == (400, True, "bad_request")
    assert reply.headers["connection"] == "close"


def test_garbage_after_a_request_does_not_take_its_answer_away(server, talk) -> None:
    reply = talk(server, GET + GET + b"garbage\r\n\r\n" + GET)
    assert (reply.statuses, reply.is_closed) == ([200, 200, 400], True)


def test_a_bad_body_behind_other_requests_does_not_take_their_answers_away(server, talk) -> None:
    reply = talk(server, GET + GET + POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert (reply.statuses, reply.is_closed) == ([200, 200, 400], True)


def test_pipelined_requests_are_answered_in_order(server, connect) -> None:
    connection = connect(server)
    requests = [GET.replace(b"/echo", b"/echo?%d" % number) for number in range(10)]
    requests[-1] = requests[-1].replace(b"Host: a", b"Host: a\r\nConnection: close")
    connection.send(b"".join(requests))
    assert connection.read().statuses == [200] * 10


def test_a_request_learns_that_its_client_is_gone_also_when_another_waits_behind_it(serve, connect) -> None:
    is_asked, is_told = threading.Event(), threading.Event()

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await receive()
            is_asked.set()
            if (await receive())["type"] == "http.disconnect":
                is_told.set()

    connection = connect(serve(patient))
    connection.send(GET + GET)
    assert is_asked.wait(30)
    connection.close()
    assert is_told.wait(30)


def test_a_flood_of_pipelined_requests_is_cut_off(server, talk) -> None:
    reply = talk(server, GET * 1000)
    assert reply.is_closed
    assert set(reply.statuses[:-1]) == {200}
    assert reply.statuses[-1] == 400
    assert len(reply.statuses) < 30


def test_an_endless_head_is_refused_while_it_comes(server, connect) -> None:
    connection = connect(server)
    connection.send(b"GET /echo HTTP/1.1\r\nX: ")
    for _ in range(5):
        connection.send(b"a" * 20_000)
    assert connection.read(until=END).status == 431


def test_a_head_too_large_is_told_so(server, talk) -> None:
    assert talk(server, b"GET /echo HTTP/1.1\r\nX: " + b"a" * 100_000).status == 431


def test_trailers_do_not_become_headers(server, talk) -> None:
    chunked = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n"
    reply = talk(server, POST + chunked + b"Authorization: Bearer x\r\n\r\n")
    assert reply.status == 200
    assert b"authorization" not in reply.raw


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
def test_a_wish_to_upgrade_is_answered_as_the_plain_request_it_is(
    server, talk, protocol: bytes, caplog
) -> None:
    request = b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
    reply = talk(server, request + b"\x00\x01\x02")
    assert (reply.status, reply.is_closed) == (200, True)
    assert not caplog.records


def test_a_full_house_makes_room_among_the_idle(serve, guarded, connect) -> None:
    limits = ConnectionLimits(maximum_connections=5)
    server = serve(guarded(), ServerSettings(grace_seconds=1, limits=limits))
    for _ in range(5):
        connection = connect(server)
        connection.send(GET)
        assert connection.read(until=END).status == 200
    time.sleep(0.6)
    late = connect(server)
    late.send(GET)
    assert late.read(until=END).status == 200


def test_a_full_house_without_idle_ones_says_to_come_back(serve, connect) -> None:
    asked = threading.Semaphore(0)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.release()
            await asyncio.sleep(60)

    limits = ConnectionLimits(maximum_connections=5)
    server = serve(never, ServerSettings(grace_seconds=1, limits=limits))
    for _ in range(5):
        connect(server).send(GET)
        assert asked.acquire(timeout=30)
    reply = connect(server).read()
    assert (reply.status, reply.headers["retry-after"], reply.is_closed) == (503, "1", True)


def test_hundreds_of_silent_connections_keep_nobody_out(server, connect) -> None:
    idle = [connect(server) for _ in range(450)]
    connection = connect(server)
    connection.send(GET)
    assert connection.read(until=b"\r\n\r\n").status == 200
    for other in idle:
        other.close()
