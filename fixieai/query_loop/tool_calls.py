"""Names and arguments of native tools: `Func[x]` and `Agent[owner/handle]` as a provider allows them."""

import hashlib
import json
import re
from typing import Any

from fixieai.protocol.transcript import FuncSpec

_PLAIN_FUNC = re.compile(r"\w{1,64}", re.ASCII)
_PLAIN_AGENT = re.compile(r"\w{1,28}(?:/\w{1,28})?", re.ASCII)
_FUNC = re.compile(r"\w{1,64}")
_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT_CHARACTERS = 45
_QUERY = "query"


class ArgumentsError(ValueError):
    """The arguments of a tool call cannot be read; the message is for the model."""


def func_tool(name: str) -> str:
    """The tool for a func: its own name, if that is ASCII. Never the tool of another func or agent.

    Funcs' names hold no hyphen, so the prefixed forms are apart from the plain ones.
    """
    return name if _PLAIN_FUNC.fullmatch(name) else _escaped("func", name)


def agent_tool(agent_id: str) -> str:
    """`agent-owner-handle`, or where that could be read in two ways, a form that ends in a digest."""
    if _PLAIN_AGENT.fullmatch(agent_id):
        return f"agent-{agent_id.replace('/', '-')}"
    return _escaped("agent", agent_id)


def _escaped(prefix: str, name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:10]
    return f"{prefix}-{_NOT_ALLOWED.sub('-', name)[:_KEPT_CHARACTERS]}--{digest}"


def func_name(tool: str) -> str:
    """What a transcript calls a func that was called by a name of the model's own making."""
    return tool if _FUNC.fullmatch(tool) else re.sub(r"\W+", "_", tool)[:64] or "_"


def query_of(arguments: str, spec: FuncSpec | None) -> str | None:
    """What to send to a func or agent; None if the model gave no arguments where one text is expected.

    With a schema (`spec.parameters`) it is the JSON text itself. Else models name the one argument
    as they like, or leave it bare.

    Raises:
        ArgumentsError: not JSON, or not the expected shape.
    """
    has_schema = spec is not None and spec.parameters is not None
    value = _loaded(arguments.strip() or "{}")
    if has_schema:
        if not isinstance(value, dict):
            raise ArgumentsError("The arguments must be a JSON object that fits the tool's parameters.")
        return arguments.strip() or "{}"
    if isinstance(value, dict) and len(value) > 1 and _QUERY not in value:
        raise ArgumentsError(f'The arguments must be a JSON object with the one text "{_QUERY}".')
    if isinstance(value, dict):
        value = value.get(_QUERY, next(iter(value.values()), None))
    return value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)


def written_arguments(text: str, spec: FuncSpec | None) -> str:
    """The arguments of a call that asked for `text`, as JSON of an object."""
    if spec is not None and spec.parameters is not None and _is_object(text):
        return text
    return json.dumps({_QUERY: text}, ensure_ascii=False)


def _is_object(text: str) -> bool:
    try:
        return isinstance(_loaded(text), dict)
    except ArgumentsError:
        return False


def _loaded(arguments: str) -> Any:
    try:
        return json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ArgumentsError("The arguments are not valid JSON.") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
