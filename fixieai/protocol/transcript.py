"""One conversation as typed lines, and the one place where a line becomes protocol text.

Protocol exists only at column 0. Whatever text a line carries, its second and further lines
are indented, and each of the line separators that Python knows counts as one: no text can
make a second protocol line (`render` of n lines always parses back to n lines).
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fixieai.protocol.embeds import Embed

CONTINUATION = "  "


class LineKind(enum.StrEnum):
    """What a line is. The value is also the `type` of the session message it becomes."""

    QUERY = "query"
    THOUGHT = "thought"
    ASK_FUNC = "ask_func"
    FUNC_SAYS = "func_says"
    ASK_AGENT = "ask_agent"
    AGENT_SAYS = "agent_says"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript.

    `name` is the func's name, the agent's id, or the label of a thought ("Thought", "Self Ask").
    `text` is the body, of any number of lines, without the prefix.
    """

    kind: LineKind
    text: str
    name: str = ""
    embeds: Mapping[str, Embed] = field(default_factory=dict)


FewShot = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FuncSpec:
    """A func that the model may call. `parameters` is the JSON schema of its argument; None: one string."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that a model is shown: the prompt, the examples, the conversation so far."""

    base_prompt: str
    few_shots: tuple[FewShot, ...]
    lines: tuple[Line, ...]
    funcs: tuple[FuncSpec, ...] = ()
    agents: tuple[str, ...] = ()


_PREFIXES = {
    LineKind.QUERY: "Q:",
    LineKind.THOUGHT: "{name}:",
    LineKind.ASK_FUNC: "Ask Func[{name}]:",
    LineKind.FUNC_SAYS: "Func[{name}] says:",
    LineKind.ASK_AGENT: "Ask Agent[{name}]:",
    LineKind.AGENT_SAYS: "Agent[{name}] says:",
    LineKind.RESPONSE: "A:",
}


def split_lines(text: str) -> list[str]:
    """The lines of a text; unlike with `str.splitlines`, a separator at the end begins one more."""
    *lines, last = f"{text}.".splitlines()
    return [*lines, last[:-1]]


def fold(text: str) -> str:
    """Text of any origin as the body of one protocol line: further lines are indented."""
    return f"\n{CONTINUATION}".join(split_lines(text))


def prefix(line: Line) -> str:
    return _PREFIXES[line.kind].format(name=line.name or "Thought")


def render_line(line: Line) -> str:
    """`Ask Func[roll]: 20 1`, the body folded."""
    return f"{prefix(line)} {fold(line.text)}".rstrip(" ")


def render(lines: Iterable[Line]) -> str:
    return "\n".join(render_line(line) for line in lines)
