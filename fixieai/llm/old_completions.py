"""Completions of models that are no more, as chats with the models that took their place, and back."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

_INSTRUCTIONS = "Continue the text of the user. Write only what comes next, without repeating the text."
_NOT_OF_CHATS = frozenset(("prompt", "suffix", "echo", "logprobs", "best_of"))


def as_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a chat that asks for the same.

    Raises:
        TypeError: the prompt is not one text.
    """
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise TypeError("prompt: must be one text")
    turns = [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": prompt}]
    return {"messages": turns} | {name: value for name, value in body.items() if name not in _NOT_OF_CHATS}


def from_chat(answer: bytes, stop: Iterable[str] = ()) -> bytes:
    """The whole answer of a chat as that of a completion, which ends before any text in `stop`."""
    try:
        return json.dumps(_completion(json.loads(answer), tuple(stop))).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return answer  # whatever it is: no answer of a chat


def event_from_chat(event: bytes) -> bytes:
    """The same of one server-sent event."""
    data = event.strip().removeprefix(b"data:").strip()
    if not data.startswith(b"{"):
        return event
    return b"data: " + from_chat(data) + b"\n\n"


def _completion(answer: dict[str, Any], stop: tuple[str, ...]) -> dict[str, Any]:
    if "choices" not in answer:
        return answer
    choices = [_choice(choice, stop) for choice in answer["choices"]]
    return {**answer, "object": "text_completion", "choices": choices}


def _choice(choice: dict[str, Any], stop: tuple[str, ...]) -> dict[str, Any]:
    said = choice.get("message") or choice.get("delta") or {}
    text = said.get("content") or ""
    for end in stop:
        text = text.partition(end)[0]
    return {
        "text": text,
        "index": choice.get("index", 0),
        "logprobs": None,
        "finish_reason": choice.get("finish_reason"),
    }
