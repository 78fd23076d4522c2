"""What OpenAI's server would keep in the account of the key, fetch from there, or do for money of its own.

A key that several people share is for calls that hold all they are about, and cost what their tokens
cost. A call for anything else is refused; only `store` is turned off, being on where nobody names it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fixieai import errors

_NOTHING_KEPT = "no answer is kept, for the account is shared; send the whole conversation as `input`"
_NO_BACKGROUND = "nothing runs in the background, for answers are not kept; use `stream` for long ones"
_NOT_OF_RESPONSES: Mapping[str, str] = {
    "previous_response_id": _NOTHING_KEPT,
    "conversation": _NOTHING_KEPT,
    "background": _NO_BACKGROUND,
    "background_options": _NO_BACKGROUND,
    "prompt": "prompts of the account are not for agents; send `instructions` and `input`",
}
# Run by who calls. Every other kind runs at OpenAI, and most kinds cost more than their tokens.
_TOOLS_OF_CALLERS = frozenset(
    ("function", "custom", "apply_patch", "local_shell", "computer", "computer_use_preview")
)
_MENTIONS = frozenset(("file_citation", "container_file_citation", "file_path"))
_REFERENCES = frozenset(("item_reference", "container_reference", "skill_reference"))
_SEARCHING_MODEL = re.compile(r"-search-(?:preview|api)")


class NotServed(errors.BadRequest):
    """A call asks for what is not served. `parameter` is where."""

    code = "not_served"

    def __init__(self, parameter: str, why: str) -> None:
        super().__init__(f"{parameter}: {why}.")
        self.parameter = parameter


def checked_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a chat, which the server is not to keep.

    Raises:
        NotServed: it asks for more than that.
    """
    if body.get("web_search_options") is not None:
        raise NotServed("web_search_options", "searches cost more than tokens, which is not counted here")
    if _SEARCHING_MODEL.search(str(body.get("model"))):
        raise NotServed("model", "this one searches the web, which costs more than tokens and is not counted")
    _check_content(body.get("messages"), "messages")
    return {**body, "store": False} if body.get("store") else dict(body)


def checked_response(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a call for a response."""
    for parameter, why in _NOT_OF_RESPONSES.items():
        if (value := body.get(parameter)) is not None and value is not False:
            raise NotServed(parameter, why)
    caching = body.get("prompt_cache_options")
    if isinstance(caching, dict) and caching.get("comparison_response_id") is not None:
        raise NotServed("prompt_cache_options", _NOTHING_KEPT)
    _check_tools(body.get("tools"), "tools")
    items = body.get("input")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("type") is None and "role" not in item:
            raise NotServed("input", _NOTHING_KEPT)
    _check_content(items, "input")
    return {**body, "store": False}


def _check_tools(tools: object, parameter: str) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise NotServed(parameter, "must be a list")
    for tool in tools:
        described = tool if isinstance(tool, dict) else {}
        if described.get("type") == "namespace":
            _check_tools(described.get("tools"), parameter)
        elif not _is_run_by_caller(described):
            kind = str(described.get("type"))[:50]
            why = f"{kind!r} runs at OpenAI, beside the tokens that are counted; use `function` tools"
            raise NotServed(parameter, why)


def _is_run_by_caller(tool: Mapping[str, Any]) -> bool:
    match tool.get("type"):
        case "shell":
            environment = tool.get("environment")
            return isinstance(environment, dict) and environment.get("type") == "local"
        case "tool_search":
            return tool.get("execution") == "client"
        case kind:
            return isinstance(kind, str) and kind in _TOOLS_OF_CALLERS


def _check_content(content: object, parameter: str) -> None:
    for part in _objects(content):
        kind, file_id = str(part.get("type")), part.get("file_id")
        if kind in _REFERENCES or (isinstance(file_id, str) and kind not in _MENTIONS):
            raise NotServed(
                parameter, "what is kept in the account is not for agents; send the content itself"
            )
        if "tools" in part:
            _check_tools(part["tools"], f"{parameter}.tools")


def _objects(content: object) -> Iterator[Mapping[str, Any]]:
    """Those within, however deep; but not within tools, nor what a model calls them with."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            yield value
            waiting.extend(part for name, part in value.items() if name not in ("tools", "arguments"))
