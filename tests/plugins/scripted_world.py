"""A scripted model and agents on one HTTP server: calls are counted by question, effect and key.

Questions are `Go 1`, `Go 2`, and so on: whatever is called knows by its words for which of them.
"""

import contextlib
import http.server
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_SECONDS = 60
_ASKED = re.compile(r"Q: Go (\d+)")
_ROLE = re.compile(r"I am (\w+)\.")


def _metadata(name: str, few_shot: str) -> str:
    return json.dumps({"type": "code_shot", "base_prompt": f"I am {name}.", "few_shots": [few_shot]})


_GO = "Q: Go\nAsk Func[one]: a\nFunc[one] says: 1\nAsk Func[two]: b\nFunc[two] says: 2\nA: both"
_UNASKED = "Q: Go\nThought: Let me see.\nFunc[one] says: 1\nA: both"
_OUTER = "Q: Go\nAsk Agent[go]: Go\nAgent[go] says: both\nA: both"
HANDSHAKES = {
    "go": _metadata("go", _GO),
    "unasked": _metadata("unasked", _UNASKED),
    "outer": _metadata("outer", _OUTER),
    "alone": json.dumps({"type": "standalone", "sample_queries": []}),
}
# What each agent's model says next, by how many of the marks stand below the question.
_MARKS = {
    "go": ("says: first", "says: second"),
    "unasked": ("Let me see", "says: first"),
    "outer": ("says: both of",),
}
_COMPLETIONS = {
    "go": ("Ask Func[one]: {n}", "Ask Func[two]: {n}", "A: both of {n}"),
    "unasked": ("Thought: Let me see.", "Func[one] says:", "A: both of {n}"),
    "outer": ("Ask Agent[go]: Go {n}", "A: both of {n}"),
}
_SAID = {"one": "first", "two": "second"}
_INNER = tuple(f"go {effect}" for effect in ("model 0", "func one", "model 1", "func two", "model 2"))
# What happens outside the platform for one question, in order.
EFFECTS = {
    "go": _INNER,
    "unasked": ("unasked model 0", "unasked model 1", "unasked func one", "unasked model 2"),
    "outer": ("outer model 0", *_INNER, "outer model 1"),
    "alone": ("alone",),
}
_GO_LINES = (
    "Ask Func[one]: {n}",
    "Func[one] says: first {n}",
    "Ask Func[two]: {n}",
    "Func[two] says: second {n}",
)
_LINES = {
    "go": ("Go {n}", *_GO_LINES, "both of {n}"),
    "unasked": (
        "Go {n}",
        "Thought: Let me see.",
        "Ask Func[one]: Go {n}",
        "Func[one] says: first Go {n}",
        "both of {n}",
    ),
    "outer": (
        "Go {n}",
        "Ask Agent[go]: Go {n}",
        *_GO_LINES,
        "Agent[go] says: both of {n}",
        "both of {n}",
    ),
    "alone": ("Go {n}", "both of {n}"),
}


def lines(agent: str, number: int) -> list[str]:
    """What a session holds in the end."""
    return [line.format(n=number) for line in _LINES[agent]]


@dataclass
class Calls:
    """The idempotency keys of calls, by question and effect. Calls that are held wait until they are let go.

    Only the first call of an effect is held.
    """

    keys: dict[int, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    _held: dict[tuple[int, str], threading.Event] = field(default_factory=dict)
    _reached: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, number: int, effect: str) -> None:
        self._held[number, effect] = threading.Event()

    def wait(self, count: int) -> None:
        """Until so many calls were held."""
        for _ in range(count):
            assert self._reached.acquire(timeout=_SECONDS)

    def let_go(self, numbers: Iterable[int] | None = None) -> None:
        """The calls of these questions; None: all calls."""
        wanted = None if numbers is None else set(numbers)
        for (number, _), event in list(self._held.items()):
            if wanted is None or number in wanted:
                event.set()

    def called(self, number: int, effect: str, key: str) -> None:
        with self._changing:
            keys = self.keys[number].setdefault(effect, [])
            keys.append(key)
            held = self._held.get((number, effect)) if len(keys) == 1 else None
        if held is not None:
            self._reached.release()
            held.wait(_SECONDS)

    def repeated(self, number: int) -> list[str]:
        """The effects of a question that were called more than once, as often as they were."""
        return [effect for effect, keys in self.keys[number].items() for _ in keys[1:]]


def handler(calls: Calls) -> type[http.server.BaseHTTPRequestHandler]:
    """For a server whose paths are `/v1/...` of the model, and `/{agent}/...`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(HANDSHAKES.get(self.path.strip("/"), "{}"))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/v1/chat/completions":
                self._complete(body)
                return
            agent, _, func = self.path.strip("/").partition("/")
            text = body["message"]["text"]
            number = int(text.split()[-1])
            effect = f"{agent} func {func}" if func else agent
            calls.called(number, effect, self.headers["Idempotency-Key"])
            said = f"{_SAID[func]} {text}" if func else f"both of {number}"
            self._reply(json.dumps({"message": {"text": said}}))

        def _complete(self, body: dict[str, Any]) -> None:
            shown = "\n".join(str(message["content"]) for message in body["messages"])
            *_, asked = _ASKED.finditer(shown)
            number, rest = int(asked[1]), shown[asked.end() :]
            role = _ROLE.search(shown)
            assert role is not None
            step = sum(mark in rest for mark in _MARKS[role[1]])
            calls.called(number, f"{role[1]} model {step}", self.headers["Idempotency-Key"])
            delta = {"role": "assistant", "content": _COMPLETIONS[role[1]][step].format(n=number)}
            piece = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
            choices = [{"index": 0, "delta": delta, "finish_reason": "stop"}]
            self._reply(
                f"data: {json.dumps({**piece, 'choices': choices})}\n\ndata: [DONE]\n\n", "text/event-stream"
            )

        def _reply(self, text: str, content_type: str = "application/json") -> None:
            with contextlib.suppress(OSError):  # whoever asked was killed
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler
