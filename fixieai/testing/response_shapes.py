"""Scripted answers of a chat, in the shapes of OpenAI's Responses API: whole, and as a stream of events."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

_STATUS = {"length": "incomplete", "content_filter": "incomplete"}
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def from_chat(answer: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """A whole answer. `body` is what was asked, of which a response repeats some."""
    written = _Written()
    written.finish_reason = "stop"
    for choice in answer["choices"]:
        written.add(choice["message"], choice["finish_reason"])
    return written.response(body, answer["usage"])


async def events_from_chat(events: AsyncIterator[bytes], body: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """A stream. It ends without `response.completed` where that of the chat breaks off."""
    numbers = itertools.count()
    written = _Written()
    yield _event(numbers, "response.created", response=written.response(body, None))
    yield _event(numbers, "response.in_progress", response=written.response(body, None))
    usage: Mapping[str, Any] | None = None
    async for event in events:
        chunk = _chunk(event)
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices", ()):
            for kind, fields in written.add(choice["delta"], choice["finish_reason"]):
                yield _event(numbers, kind, **fields)
    if written.finish_reason is None:
        return
    for kind, fields in written.ends():
        yield _event(numbers, kind, **fields)
    response = written.response(body, usage)
    yield _event(numbers, f"response.{response['status']}", response=response)


class _Written:
    """The items of one response so far, and the events that bring each piece of them."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.finish_reason: str | None = None

    def add(self, said: Mapping[str, Any], finish_reason: str | None) -> list[tuple[str, dict[str, Any]]]:
        self.finish_reason = finish_reason or self.finish_reason
        events: list[tuple[str, dict[str, Any]]] = []
        if said.get("content"):
            events += self._say(said["content"])
        for call in said.get("tool_calls", ()):
            events += self._call(call)
        return events

    def ends(self) -> list[tuple[str, dict[str, Any]]]:
        return [event for index, item in enumerate(self.items) for event in _item_ends(index, item)]

    def response(self, body: Mapping[str, Any], usage: Mapping[str, Any] | None) -> dict[str, Any]:
        status = "in_progress" if self.finish_reason is None else _STATUS.get(self.finish_reason, "completed")
        reason = _REASONS.get(self.finish_reason or "")
        return {
            "id": "resp_scripted",
            "object": "response",
            "created_at": 0,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": body.get("instructions"),
            "metadata": body.get("metadata") or {},
            "model": body.get("model", ""),
            "output": self.items,
            "parallel_tool_calls": True,
            "store": body.get("store", True),
            "tool_choice": "auto",
            "tools": body.get("tools") or [],
            "usage": usage and _usage(usage),
        }

    def _say(self, text: str) -> list[tuple[str, dict[str, Any]]]:
        events: list[tuple[str, dict[str, Any]]] = []
        if not self.items:
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            item = {"id": "msg_0", "type": "message", "role": "assistant", "status": "completed"}
            self.items.append({**item, "content": [part]})
            events.append(
                ("response.output_item.added", {"output_index": 0, "item": {**item, "content": []}})
            )
            events.append(("response.content_part.added", {**_place(0, item), "part": dict(part)}))
        self.items[0]["content"][0]["text"] += text
        delta = {**_place(0, self.items[0]), "delta": text, "logprobs": []}
        return [*events, ("response.output_text.delta", delta)]

    def _call(self, call: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """A call, or more of the arguments of the last one."""
        events: list[tuple[str, dict[str, Any]]] = []
        function = call["function"]
        if "id" in call:
            index = len(self.items)
            item = {
                "id": f"fc_{index}",
                "type": "function_call",
                "call_id": call["id"],
                "status": "completed",
            }
            self.items.append({**item, "name": function["name"], "arguments": ""})
            events.append(
                ("response.output_item.added", {"output_index": index, "item": dict(self.items[-1])})
            )
        item, arguments = self.items[-1], function["arguments"]
        item["arguments"] += arguments
        if arguments:
            fields = {"item_id": item["id"], "output_index": len(self.items) - 1, "delta": arguments}
            events.append(("response.function_call_arguments.delta", fields))
        return events


def _item_ends(index: int, item: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    done = ("response.output_item.done", {"output_index": index, "item": dict(item)})
    if item["type"] == "function_call":
        told = {"item_id": item["id"], "output_index": index}
        fields = {**told, "name": item["name"], "arguments": item["arguments"]}
        return [("response.function_call_arguments.done", fields), done]
    place, part = _place(index, item), item["content"][0]
    text = ("response.output_text.done", {**place, "text": part["text"], "logprobs": []})
    return [text, ("response.content_part.done", {**place, "part": part}), done]


def _place(index: int, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"item_id": item["id"], "output_index": index, "content_index": 0}


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "cache_write_tokens_details": {"ttl_30m_tokens": 0, "ttl_12h_tokens": 0},
        },
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }


def _chunk(event: bytes) -> Mapping[str, Any]:
    data = event.strip().removeprefix(b"data:").strip()
    chunk: Mapping[str, Any] = {} if data == b"[DONE]" else json.loads(data)
    return chunk


def _event(numbers: "itertools.count[int]", kind: str, **fields: object) -> bytes:
    data = {"type": kind, "sequence_number": next(numbers), **fields}
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
