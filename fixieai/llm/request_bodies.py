"""Prompts as the bodies of requests to servers that speak OpenAI's API."""

from typing import Any, assert_never

from fixieai.llm.providers import ModelId
from fixieai.protocol.prompts import ChatMessage, ChatPrompt, LlmSettings, TextPrompt, Tool

_MAXIMUM_STOPS = 4
# Thinking counts as tokens written. An agent's limit is about its answer, so this comes on top.
_TOKENS_TO_THINK = 8_000


def request_body(
    model: ModelId, prompt: ChatPrompt | TextPrompt, settings: LlmSettings, *, streams: bool
) -> dict[str, Any]:
    """The JSON body for one call. What this kind of model is known to refuse is left out."""
    body: dict[str, Any] = {"model": model.model, **_shown(model, prompt), **_limits(model, settings)}
    if "tools" in body and model.must_not_reason_with_tools:
        body["reasoning_effort"] = "none"
    if streams:
        body["stream"] = True
        if model.provider.counts_streamed_tokens:
            body["stream_options"] = {"include_usage": True}
    return body


def without(body: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    """The body, after the server refused fields of these names: left out, or put as it wants them."""
    changed = {field: value for field, value in body.items() if field not in refused}
    if "max_tokens" in refused and "max_tokens" in body:
        changed["max_completion_tokens"] = body["max_tokens"]
    if "reasoning_effort" in refused and "reasoning_effort" not in body:
        changed["reasoning_effort"] = "none"
    return changed


def _limits(model: ModelId, settings: LlmSettings) -> dict[str, Any]:
    if not model.reasons:
        wanted = {"temperature": settings.temperature, "max_tokens": settings.maximum_tokens}
    elif settings.maximum_tokens is None:
        wanted = {}
    else:
        wanted = {"max_completion_tokens": settings.maximum_tokens + _TOKENS_TO_THINK}
    return {field: value for field, value in wanted.items() if value is not None}


def _shown(model: ModelId, prompt: ChatPrompt | TextPrompt) -> dict[str, Any]:
    match prompt:
        case ChatPrompt(messages, tools):
            shown: dict[str, Any] = {"messages": [_turn(message) for message in messages]}
            if tools:
                shown["tools"] = [_tool(tool) for tool in tools]
            return shown
        case TextPrompt():
            shown = _text(prompt, is_chat=model.is_chat)
            if prompt.stop and model.provider.takes_stop and not model.reasons:
                shown["stop"] = list(prompt.stop[:_MAXIMUM_STOPS])
            return shown
        case _:
            assert_never(prompt)


def _text(prompt: TextPrompt, *, is_chat: bool) -> dict[str, Any]:
    if not is_chat:
        return {"prompt": prompt.instructions + prompt.text}
    system = [{"role": "system", "content": prompt.instructions}] if prompt.instructions else []
    return {"messages": [*system, {"role": "user", "content": prompt.text}]}


def _turn(message: ChatMessage) -> dict[str, Any]:
    if message.tool_call is not None:
        call = message.tool_call
        function = {"name": call.name, "arguments": call.arguments}
        return {
            "role": message.role,
            "content": message.text or None,
            "tool_calls": [{"id": call.id, "type": "function", "function": function}],
        }
    if message.tool_call_id is not None:
        return {"role": message.role, "content": message.text, "tool_call_id": message.tool_call_id}
    if message.images:
        pictures = [{"type": "image_url", "image_url": {"url": uri}} for uri in message.images]
        return {"role": message.role, "content": [{"type": "text", "text": message.text}, *pictures]}
    return {"role": message.role, "content": message.text}


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}
