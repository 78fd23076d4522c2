"""Which calls of OpenAI's API the proxy passes on, and as what.

    POST chat/completions, completions, embeddings
    POST engines/{model}/completions, .../embeddings      as the `openai` package below 1 sends them
         A model that is no more is replaced; a completion of one becomes a chat.
    GET  models, models/{model}

Everything else would reach what others keep in the platform's account: files, threads, stored answers.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fixieai import errors
from fixieai.llm import old_completions, providers, token_counts
from fixieai.llm.event_relay import EventRelay
from fixieai.llm.providers import ModelId
from fixieai.platform.usage import Tokens

_POSTED = re.compile(r"(?:engines/(?P<engine>[^/]+)/)?(?P<path>chat/completions|completions|embeddings)")
_FETCHED = re.compile(r"models(?:/[\w.:@+-]+)?", re.ASCII)
_EXPECTED_COMPLETION = 1_000
_MOST_EXPECTED = 200_000
# What a reasoning model refuses. Only taken from calls that name a model which is no longer there.
_NOT_FOR_REASONING = frozenset(
    ("temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "logit_bias", "best_of")
)
_TOKENS_TO_THINK = 8_000


@dataclass(frozen=True, slots=True)
class OpenAICall:
    """One call to pass on. `body` is None for GET; `hides_usage`: the caller did not ask for its usage.

    `stop` is where a completion ends that is asked for as a chat; None for calls that are what they were.
    """

    method: str
    path: str
    model: str = ""
    body: Mapping[str, Any] | None = None
    hides_usage: bool = False
    stop: tuple[str, ...] | None = None

    def content(self) -> bytes | None:
        return None if self.body is None else json.dumps(self.body, ensure_ascii=False).encode("utf-8")

    def expected(self, size: int) -> Tokens:
        """What it may use; `size` is that of the body, in bytes."""
        body = self.body or {}
        most = _count(body.get("max_completion_tokens")) or _count(body.get("max_tokens"))
        written = (
            0 if self.path == "embeddings" else (most or _EXPECTED_COMPLETION) * (_count(body.get("n")) or 1)
        )
        read = min(token_counts.of_bytes(size), _MOST_EXPECTED)
        return Tokens(self.model, read, min(written, _MOST_EXPECTED))

    def relay(self) -> EventRelay:
        """What a stream of events goes through on its way to the caller."""
        if self.stop is None:
            return EventRelay(hides_usage=self.hides_usage)
        return EventRelay(hides_usage=self.hides_usage, rewrite=old_completions.event_from_chat)

    def answer(self, body: bytes) -> bytes:
        """A whole answer as the caller expects it."""
        return body if self.stop is None else old_completions.from_chat(body, self.stop)

    def without_usage(self) -> "OpenAICall":
        """The same for a server that does not know how to tell of usage in a stream."""
        body = {name: value for name, value in (self.body or {}).items() if name != "stream_options"}
        return replace(self, body=body, hides_usage=False)


def posted(path: str, body: object) -> OpenAICall:
    """A POST.

    Raises:
        NotFound: there is no such call here.
        UnprocessableContent: the body names no model.
    """
    match = _POSTED.fullmatch(path)
    if match is None:
        raise _not_here(path)
    if not isinstance(body, dict):
        raise errors.UnprocessableContent("body: must be an object")
    name = body.get("model") or match["engine"]
    if not isinstance(name, str):
        raise errors.UnprocessableContent("model: must name a model")
    try:
        model = providers.parse_model_name(f"openai/{name}")
    except errors.ConfigurationError:
        raise errors.UnprocessableContent("model: is no name of a model") from None
    call = OpenAICall("POST", match["path"], model.name, {**body, "model": model.model})
    return _counted(call if model.model == name else _as_the_model_takes_it(call, model))


def fetched(path: str) -> OpenAICall:
    """A GET. Raises NotFound: there is no such call here."""
    if _FETCHED.fullmatch(path) is None:
        raise _not_here(path)
    return OpenAICall("GET", path)


def _counted(call: OpenAICall) -> OpenAICall:
    """A stream tells at its end what was used, when it is asked to."""
    body = call.body or {}
    if not body.get("stream") or call.path == "embeddings":
        return call
    options = body.get("stream_options")
    options = options if isinstance(options, dict) else {}
    if options.get("include_usage") is True:
        return call
    asked = {**body, "stream_options": {**options, "include_usage": True}}
    return replace(call, body=asked, hides_usage=True)


def _as_the_model_takes_it(call: OpenAICall, model: ModelId) -> OpenAICall:
    """A call that names a model which is no more, as its successor takes it."""
    body = dict(call.body or {})
    if call.path == "completions" and model.is_chat:
        try:
            body, stop = old_completions.as_chat(body), body.get("stop")
        except TypeError as error:
            raise errors.UnprocessableContent(str(error)) from None
        texts = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
        call = replace(
            call,
            path="chat/completions",
            stop=tuple(text for text in texts if isinstance(text, str) and text),
        )
    if model.reasons:
        most = _count(body.pop("max_tokens", None))
        body = {name: value for name, value in body.items() if name not in _NOT_FOR_REASONING}
        if most:
            body["max_completion_tokens"] = most + _TOKENS_TO_THINK
    return replace(call, body=body)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1e9 else None


def _not_here(path: str) -> errors.NotFound:
    return errors.NotFound(
        f"This proxy passes on chat/completions, completions, embeddings and models, not {path[:100]!r}."
    )
