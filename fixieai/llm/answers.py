"""The answers of servers that speak OpenAI's API: bytes to events, events to a Completion.

A server may say anything. What is not an answer raises TransientFailure; an answer is whole
only when the server said so, with a finish reason or with `[DONE]`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fixieai.llm.failures import TransientFailure
from fixieai.protocol.prompts import Completion, ToolCall

MAXIMUM_BYTES = 16 * 1024 * 1024
_UNREADABLE = "sent something that is no answer"


class Decoder:
    """The bytes of one response to its JSON objects: server-sent events, or a single object.

    Which of both it is the first byte says: servers that cannot stream ignore that they were asked to.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._size = 0
        self._is_single: bool | None = None
        self.is_done = False
        self.has_events = False

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any] | None]:
        """The events that end in this chunk, and None for each line that only says the server lives.

        Raises:
            TransientFailure: the response is too large, or no JSON.
        """
        self._size += len(chunk)
        if self._size > MAXIMUM_BYTES:
            raise TransientFailure(f"sent more than {MAXIMUM_BYTES} bytes")
        self._rest += chunk
        if self._is_single is None and (start := self._rest.lstrip()[:1]):
            self._is_single = start == b"{"
        if self._is_single or b"\n" not in chunk:
            return
        # At newlines alone: JSON may hold every other separator that Python knows.
        *lines, last = self._rest.split(b"\n")
        self._rest = last
        for line in lines:
            yield from self._event(bytes(line))

    def finish(self) -> Iterator[dict[str, Any] | None]:
        """What the end of the response ends."""
        if self._is_single:
            self.is_done = True
            yield _object(bytes(self._rest))
        else:
            yield from self._event(bytes(self._rest))

    def _event(self, line: bytes) -> Iterator[dict[str, Any] | None]:
        if line.startswith(b":"):
            yield None
        elif line.startswith(b"data:") and not self.is_done:
            data = line[5:].strip()
            self.is_done = data == b"[DONE]"
            self.has_events = True
            if not self.is_done:
                yield _object(data)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise TransientFailure(_UNREADABLE) from None
    if not isinstance(value, dict):
        raise TransientFailure(_UNREADABLE)
    return value


@dataclass(slots=True)
class Answer:
    """One answer as it grows. Of several tool calls the first counts: one action per completion.

    `key` is what no error message may hold.
    """

    model: str
    key: str = ""
    _text: list[str] = field(default_factory=list)
    _call: dict[str, Any] | None = None
    _arguments: list[str] = field(default_factory=list)
    _finish_reason: str | None = None
    _usage: dict[str, Any] = field(default_factory=dict)

    @property
    def has_finish_reason(self) -> bool:
        return self._finish_reason is not None

    def add(self, event: dict[str, Any]) -> str:
        """Takes in one event; returns the text that it adds.

        Raises:
            TransientFailure: the event is an error, or no part of an answer.
        """
        if event.get("error"):
            raise TransientFailure(f"reported an error: {error_message(event, self.key)}")
        if isinstance(event.get("usage"), dict):
            self._usage = event["usage"]
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise TransientFailure(_UNREADABLE)
        return self._add_choice(choices[0]) if choices else ""

    def completion(self) -> Completion:
        """The whole answer.

        Raises:
            TransientFailure: the server said that it is done, but there was no answer in it.
        """
        if self._finish_reason is None and not self._text and self._call is None:
            raise TransientFailure("sent an answer with nothing in it")
        return Completion(
            "".join(self._text),
            self._tool_call(),
            self.model,
            is_cut_off=self._finish_reason == "length",
            prompt_tokens=_count(self._usage.get("prompt_tokens")),
            completion_tokens=_count(self._usage.get("completion_tokens")),
        )

    def _add_choice(self, choice: object) -> str:
        if not isinstance(choice, dict):
            raise TransientFailure(_UNREADABLE)
        if isinstance(choice.get("finish_reason"), str):
            self._finish_reason = choice["finish_reason"]
        part = choice.get("delta") or choice.get("message") or {}
        if not isinstance(part, dict):
            raise TransientFailure(_UNREADABLE)
        calls = part.get("tool_calls")
        if isinstance(calls, list):
            for call in calls:
                self._add_call(call)
        text = choice.get("text") or part.get("content") or part.get("refusal") or ""
        if not isinstance(text, str):
            raise TransientFailure(_UNREADABLE)
        if text:
            self._text.append(text)
        return text

    def _add_call(self, call: object) -> None:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(function, dict):
            raise TransientFailure(_UNREADABLE)
        if self._call is None:
            self._call = {"index": call.get("index"), "id": call.get("id"), "name": function.get("name")}
        elif not _is_same_call(self._call, call):
            return
        self._call["name"] = self._call["name"] or function.get("name")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        if isinstance(arguments, str):
            self._arguments.append(arguments)

    def _tool_call(self) -> ToolCall | None:
        if self._call is None:
            return None
        name, call_id = self._call["name"], self._call["id"]
        if not isinstance(name, str) or not name:
            raise TransientFailure("called a tool without naming it")
        return ToolCall(call_id if isinstance(call_id, str) else "", name, "".join(self._arguments))


def _is_same_call(first: dict[str, Any], call: dict[str, Any]) -> bool:
    """Some servers number no calls, some number all of them 0 and tell them apart by id alone."""
    return call.get("index") == first["index"] and call.get("id") in (None, "", first["id"])


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def error_message(body: object, key: str) -> str:
    """What an error body says, in one line of at most 200 characters, without the key."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = str((error.get("message") if isinstance(error, dict) else error) or "")
    if key:  # before anything is cut: half a key is a secret too
        message = message.replace(key, "***")
    words = "".join(character if character.isprintable() else " " for character in message[:1000])
    return " ".join(words.split())[:200] or "no reason given"
