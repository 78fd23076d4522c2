"""Which calls of OpenAI's API the proxy passes on, and as what.

    POST chat/completions, completions, embeddings, responses
    POST engines/{model}/completions, .../embeddings      as the `openai` package below 1 sends them
         A model that is no more is replaced; a completion of one becomes a chat.
    GET  models, models/{model}

Everything else would reach what others keep in the platform's account (files, threads, stored answers),
or cost what no answer tells (pictures, speech, training). The same is refused within a call that is
passed on: see `hosted_features`.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fixieai import errors
from fixieai.llm import event_relay, hosted_features, old_completions, providers, responses, token_counts
from fixieai.llm.event_relay import EventRelay, Told
from fixieai.llm.providers import ModelId
from fixieai.platform.usage import Tokens

_POSTED = re.compile(
    r"(?:engines/(?P<engine>[^/]+)/)?(?P<path>chat/completions|completions|embeddings|responses)"
)
_FETCHED = re.compile(r"models(?:/\w[\w.:@+-]*)?", re.ASCII)
_EXPECTED_COMPLETION = 1_000
_MOST_EXPECTED = 200_000
_MOST = ("max_completion_tokens", "max_tokens", "max_output_tokens")
# What a reasoning model refuses. Only taken from calls that name a model which is no longer there.
_NOT_FOR_REASONING = frozenset(
    ("temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "logit_bias", "best_of")
)
_TOKENS_TO_THINK = 8_000


@dataclass(frozen=True, slots=True)
class OpenAICall:
    """One call to pass on. `body` is None for GET; `hides_usage`: the caller did not ask for its usage.

    `adds_reasoning`: nor for the reasoning, which no server keeps for the next call.
    `stop` is where a completion ends that is asked for as a chat; None for calls that are what they were.
    """

    method: str
    path: str
    model: str = ""
    body: Mapping[str, Any] | None = None
    hides_usage: bool = False
    stop: tuple[str, ...] | None = None
    adds_reasoning: bool = False

    async def content(self) -> bytes | None:
        """In a thread, for others go on meanwhile: it may be megabytes."""
        return None if self.body is None else await asyncio.to_thread(_encoded, self.body)

    def expected(self, size: int) -> Tokens:
        """What it may use; `size` is that of the body, in bytes."""
        body = self.body or {}
        most = next(filter(None, (_count(body.get(name)) for name in _MOST)), None)
        written = (
            0 if self.path == "embeddings" else (most or _EXPECTED_COMPLETION) * (_count(body.get("n")) or 1)
        )
        read = min(token_counts.of_bytes(size), _MOST_EXPECTED)
        return Tokens(self.model, read, min(written, _MOST_EXPECTED))

    def relay(self) -> EventRelay:
        """What a stream of events goes through on its way to the caller."""
        if self.path == responses.PATH:
            return responses.ResponseRelay()
        if self.stop is None:
            return EventRelay(hides_usage=self.hides_usage)
        return EventRelay(hides_usage=self.hides_usage, rewrite=old_completions.event_from_chat)

    def answer(self, body: bytes) -> bytes:
        """A whole answer as the caller expects it."""
        return body if self.stop is None else old_completions.from_chat(body, self.stop)

    def told(self, body: bytes) -> Told:
        """What a whole answer tells of its cost."""
        return responses.told(body) if self.path == responses.PATH else event_relay.told(body)

    def refusal(self, status: int, body: bytes) -> bytes | None:
        """One that says more than the server's; None where that says enough."""
        return responses.explained(status, body) if self.path == responses.PATH else None

    def plainer(self, refusal: bytes) -> "OpenAICall | None":
        """Without what was added here and the server refuses; None where it refuses something else."""
        if self.hides_usage and b"stream_options" in refusal:
            return self.without_usage()
        if self.adds_reasoning and b"encrypted_content" in refusal:
            return replace(self, body=responses.without_reasoning(self.body or {}), adds_reasoning=False)
        return None

    def without_usage(self) -> "OpenAICall":
        """The same for a server that does not know how to tell of usage in a stream."""
        body = {name: value for name, value in (self.body or {}).items() if name != "stream_options"}
        return replace(self, body=body, hides_usage=False)


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8")


def posted(path: str, body: object) -> OpenAICall:
    """A POST.

    Raises:
        NotFound: there is no such call here.
        UnprocessableContent: the body names no model.
        NotServed: it asks for what an account that people share cannot give.
    """
    match = _POSTED.fullmatch(path)
    if match is None or (match["engine"] and match["path"] == responses.PATH):
        raise not_here(path)
    if not isinstance(body, dict):
        raise errors.UnprocessableContent("body: must be an object")
    name = body.get("model") or match["engine"]
    if not isinstance(name, str):
        raise errors.UnprocessableContent("model: must name a model")
    try:
        model = providers.parse_model_name(f"openai/{name}")
    except errors.ConfigurationError:
        raise errors.UnprocessableContent("model: is no name of a model") from None
    call = OpenAICall(
        "POST", match["path"], model.name, _checked(match["path"], {**body, "model": model.model})
    )
    if call.path == responses.PATH and model.reasons:
        call = _with_reasoning(call)
    return _counted(call if model.model == name else _as_the_model_takes_it(call, model))


def fetched(path: str) -> OpenAICall:
    """A GET. Raises NotFound: there is no such call here."""
    if _FETCHED.fullmatch(path) is None:
        raise not_here(path)
    return OpenAICall("GET", path)


def _checked(path: str, body: dict[str, Any]) -> dict[str, Any]:
    if path == responses.PATH:
        return hosted_features.checked_response(body)
    return hosted_features.checked_chat(body) if path == "chat/completions" else body


def _with_reasoning(call: OpenAICall) -> OpenAICall:
    body = responses.with_reasoning(call.body or {})
    return call if body is None else replace(call, body=body, adds_reasoning=True)


def _counted(call: OpenAICall) -> OpenAICall:
    """A stream tells at its end what was used, when it is asked to."""
    body = call.body or {}
    if not body.get("stream") or call.path in ("embeddings", responses.PATH):
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
        is_response = call.path == responses.PATH
        most = _count(body.pop("max_output_tokens" if is_response else "max_tokens", None))
        body = {name: value for name, value in body.items() if name not in _NOT_FOR_REASONING}
        if most:
            limit = "max_output_tokens" if is_response else "max_completion_tokens"
            body[limit] = most + _TOKENS_TO_THINK
    return replace(call, body=body)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1e9 else None


def not_here(path: str) -> errors.NotFound:
    """Why a call is not passed on."""
    if path.startswith(("responses/", "conversations")):
        return errors.NotFound(
            "No answer and no conversation is kept here, for the account is shared: "
            "send the whole conversation as `input` of `POST responses`."
        )
    return errors.NotFound(
        "This proxy passes on chat/completions, completions, embeddings, responses and models, "
        f"not {path[:100]!r}."
    )
