"""A scripted language model: a real HTTP server that speaks OpenAI's API and says what a test wants.

    with ModelServer([Fails(429, {"Retry-After": "1"}), Says("A: 12")]) as server:
        os.environ["FIXIE_LLM_BASE_URL"] = server.base_url
        ...
        assert len(server.requests) == 2

A script is a list of replies, of which the last repeats, or a function from a request's JSON
body to a reply. From a shell: `python -m fixieai.testing.model_server --port 9000 --script FILE`,
where FILE holds a JSON list of objects such as `{"says": "A: 12"}` (see `reply_from_json`);
`GET /requests` then shows what was asked.
"""

import argparse
import asyncio
import contextlib
import json
import pathlib
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fixieai.testing import embeddings, response_shapes

_WORD = re.compile(r"\s*\S+\s*")
_SECONDS_TO_START = 10.0


@dataclass(frozen=True, slots=True)
class Says:
    """A text, one word at a time. `ignores_stop`: it writes on past the stop sequences, as many models do.

    `usage` is how many tokens it says it read and wrote; estimated unless given.
    """

    text: str
    seconds_per_word: float = 0.0
    ignores_stop: bool = False
    finish_reason: str = "stop"
    usage: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Calls:
    """Tool calls, as (name, arguments); arguments are JSON text, sent as they are. `text` comes first."""

    calls: Sequence[tuple[str, str]]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Fails:
    """An error status. `error` are further fields of the error object: `code`, `param`."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "scripted failure"
    error: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Garbage:
    """These bytes with status 200."""

    content: bytes
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class BreaksOff:
    """Half an answer. `is_clean`: the response ends properly, but the answer in it does not."""

    text: str
    is_clean: bool = False


@dataclass(frozen=True, slots=True)
class Hangs:
    """Takes the request and never answers. With `text`, that comes first."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class NoChoices:
    """An answer whose list of choices is empty."""


Reply = Says | Calls | Fails | Garbage | BreaksOff | Hangs | NoChoices
Script = Sequence[Reply] | Callable[[dict[str, Any]], Reply]


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """What one request held. `connection` tells connections apart: equal when one was used again."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    connection: tuple[str, int]


class ModelServer:
    """The server, in a thread of its own while used as a context manager. `port` 0 takes any free one."""

    def __init__(self, script: Script, *, models: Sequence[str] = ("scripted",), port: int = 0) -> None:
        self.requests: list[ReceivedRequest] = []
        self._script = script
        self._models = models
        # With the protocol named: only then asyncio turns off Nagle's delay, 40 ms an answer.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        # From here on nobody is refused, and the queue is deep enough for a test that starts all at once.
        self._socket.listen(1024)
        config = uvicorn.Config(self._app(), log_level="critical", lifespan="off", backlog=1024)
        config.timeout_keep_alive = 60  # longer than any client's: no request meets the end of its connection
        self._server = uvicorn.Server(config)
        self._stop: Callable[[], object] = self._socket.close
        self._thread = threading.Thread(target=self.run, name="model server", daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = threading.Event()
        for _ in range(int(_SECONDS_TO_START / 0.01)):
            if self._server.started:
                return self
            deadline.wait(0.01)
        raise RuntimeError("the model server did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()
        self._thread.join()

    def run(self) -> None:
        """Serves until the process is told to stop, or the block ends."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - asyncio.run makes one
        self._stop = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            await self._server.serve(sockets=[self._socket])
        except asyncio.CancelledError:
            # Not uvicorn's own end, which waits for replies: those that hang are meant to.
            for listener in self._server.servers:
                listener.close()
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)

    def _app(self) -> Starlette:
        names = ("chat/completions", "completions", "engines/{model}/completions", "responses")
        return Starlette(
            routes=[
                *(Route(f"/v1/{name}", self._answer, methods=["POST"]) for name in names),
                Route("/v1/embeddings", self._embed, methods=["POST"]),
                Route("/v1/models", self._list_models),
                Route("/v1/models/{model:path}", self._show_model),
                Route("/requests", self._list_requests),
            ]
        )

    async def _receive(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        connection = (request.client.host, request.client.port) if request.client else ("", 0)
        self.requests.append(ReceivedRequest(request.url.path, dict(request.headers), body, connection))
        return body

    async def _embed(self, request: Request) -> Response:
        """Not scripted: the same text has the same vector."""
        body = await self._receive(request)
        return JSONResponse(embeddings.answer(body))

    async def _answer(self, request: Request) -> Response:
        body = await self._receive(request)
        if callable(self._script):
            reply = self._script(body)
        else:
            reply = self._script[min(len(self.requests), len(self._script)) - 1]
        return await _respond(reply, request, body)

    async def _list_models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(name) for name in self._models]})

    async def _show_model(self, request: Request) -> Response:
        name = request.path_params["model"]
        if name in self._models:
            return JSONResponse(_model(name))
        return JSONResponse({"error": {"message": f"The model {name!r} does not exist"}}, 404)

    async def _list_requests(self, _: Request) -> Response:
        shown = [{"path": row.path, "headers": dict(row.headers), "body": row.body} for row in self.requests]
        return JSONResponse(shown)


async def _respond(reply: Reply, request: Request, body: dict[str, Any]) -> Response:
    match reply:
        case Fails():
            error = {"message": reply.message, "type": "scripted", **reply.error}
            return JSONResponse({"error": error}, reply.status, dict(reply.headers))
        case Garbage():
            return Response(reply.content, media_type=reply.content_type)
        case Hangs(text="") if not body.get("stream"):
            await _until_disconnected(request)
            return Response(status_code=499)
    is_response = request.url.path == "/v1/responses"
    asked = {**body, "stream_options": {"include_usage": True}} if is_response else body
    answer = _Answer(asked, is_chat=is_response or "chat" in request.url.path)
    if body.get("stream"):
        events = answer.events(reply, request)
        shown = response_shapes.events_from_chat(events, body) if is_response else events
        return StreamingResponse(shown, media_type="text/event-stream")
    chat = answer.whole(reply)
    whole = json.dumps(response_shapes.from_chat(chat, body) if is_response else chat).encode()
    if isinstance(reply, BreaksOff):
        return _half(whole, is_clean=reply.is_clean)
    return Response(whole, media_type="application/json")


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "scripted"}


def _half(whole: bytes, *, is_clean: bool) -> Response:
    half = whole[: len(whole) // 2]
    if is_clean:
        return Response(half, media_type="application/json")

    async def pieces() -> AsyncIterator[bytes]:
        yield half
        raise ConnectionAbortedError

    return StreamingResponse(pieces(), media_type="application/json")


async def _until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Answer:
    """Replies in the shape of the endpoint that was asked."""

    def __init__(self, body: Mapping[str, Any], *, is_chat: bool) -> None:
        self._body = body
        self._is_chat = is_chat
        self._head = {"id": "scripted", "created": 0, "model": body.get("model", "")}

    def whole(self, reply: Reply) -> dict[str, Any]:
        kind = "chat.completion" if self._is_chat else "text_completion"
        answer = {**self._head, "object": kind, "choices": [], "usage": self._usage(reply)}
        if isinstance(reply, NoChoices):
            return answer
        text = "".join(self._words(reply))
        choice: dict[str, Any] = {"index": 0, "finish_reason": _finish_reason(reply)}
        if self._is_chat:
            calls = [_tool_call(position, call) for position, call in enumerate(_calls(reply))]
            message = {"role": "assistant", "content": text or None}
            choice["message"] = {**message, "tool_calls": calls} if calls else message
        else:
            choice["text"] = text
        return {**answer, "choices": [choice]}

    async def events(self, reply: Reply, request: Request) -> AsyncIterator[bytes]:
        for word in self._words(reply):
            yield self._event(self._delta({"content": word}, word))
            await asyncio.sleep(reply.seconds_per_word if isinstance(reply, Says) else 0)
        for delta in _call_deltas(_calls(reply)):
            yield self._event(self._delta({"tool_calls": [delta]}, ""))
        if isinstance(reply, Hangs):
            await _until_disconnected(request)
            return
        if isinstance(reply, BreaksOff):
            if not reply.is_clean:
                raise ConnectionAbortedError
            return
        if not isinstance(reply, NoChoices):
            yield self._event([{**self._delta({}, "")[0], "finish_reason": _finish_reason(reply)}])
        if (self._body.get("stream_options") or {}).get("include_usage"):
            yield self._event([], usage=self._usage(reply))
        yield b"data: [DONE]\n\n"

    def _delta(self, delta: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": None}
        return [{**choice, "delta": delta} if self._is_chat else {**choice, "text": text}]

    def _event(self, choices: list[dict[str, Any]], **more: object) -> bytes:
        kind = "chat.completion.chunk" if self._is_chat else "text_completion"
        event = {**self._head, "object": kind, "choices": choices, **more}
        return b"data: " + json.dumps(event).encode() + b"\n\n"

    def _words(self, reply: Reply) -> list[str]:
        text = getattr(reply, "text", "")
        if not (isinstance(reply, Says) and reply.ignores_stop):
            stops = self._body.get("stop") or []
            for stop in [stops] if isinstance(stops, str) else stops:
                text = text.partition(stop)[0]
        return _WORD.findall(text) or ([text] if text else [])

    def _usage(self, reply: Reply) -> dict[str, int]:
        asked, said = len(json.dumps(self._body)) // 4, len(self._words(reply))
        if isinstance(reply, Says) and reply.usage is not None:
            asked, said = reply.usage
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _calls(reply: Reply) -> Sequence[tuple[str, str]]:
    return reply.calls if isinstance(reply, Calls) else ()


def _finish_reason(reply: Reply) -> str:
    if isinstance(reply, Calls):
        return "tool_calls"
    return reply.finish_reason if isinstance(reply, Says) else "stop"


def _tool_call(position: int, call: tuple[str, str]) -> dict[str, Any]:
    name, arguments = call
    return {
        "id": f"call_{position}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _call_deltas(calls: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """As OpenAI streams a call: the name first, the arguments in pieces."""
    for position, (name, arguments) in enumerate(calls):
        yield {**_tool_call(position, (name, "")), "index": position}
        for start in range(0, len(arguments), 5):
            yield {"index": position, "function": {"arguments": arguments[start : start + 5]}}


def reply_from_json(value: Mapping[str, Any]) -> Reply:
    """A reply from its JSON form, which names it by its first key.

    `{"says": TEXT, "seconds_per_word"?, "ignores_stop"?, "finish_reason"?, "usage"?}`,
    `{"calls": [{"name", "arguments"}], "text"?}`, `{"fails": STATUS, "headers"?, "message"?, "error"?}`,
    `{"garbage": TEXT}`, `{"breaks_off": TEXT, "is_clean"?}`, `{"hangs": TEXT}`, `{"no_choices": true}`.

    Raises:
        ValueError: it is none of these.
    """
    kind = next(iter(value), "")
    options = {key: option for key, option in value.items() if key != kind}
    try:
        return _KINDS[kind](value[kind], **options)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a scripted reply: {dict(value)} ({error!r})") from error


def _calls_from_json(calls: Sequence[Mapping[str, str]], text: str = "") -> Calls:
    return Calls([(call["name"], call["arguments"]) for call in calls], text)


_KINDS: Mapping[str, Callable[..., Reply]] = {
    "says": Says,
    "calls": _calls_from_json,
    "fails": Fails,
    "garbage": lambda text, **options: Garbage(text.encode(), **options),
    "breaks_off": BreaksOff,
    "hangs": Hangs,
    "no_choices": lambda _: NoChoices(),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m fixieai.testing.model_server`; prints its base URL once it listens."""
    parser = argparse.ArgumentParser(prog="python -m fixieai.testing.model_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--script", type=pathlib.Path, required=True, help="a JSON list of replies")
    options = parser.parse_args(arguments)
    script = [reply_from_json(value) for value in json.loads(options.script.read_text("utf-8"))]
    server = ModelServer(script or [Says("A: nothing is scripted")], port=options.port)
    print(server.base_url, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


if __name__ == "__main__":
    main()
