"""The grammar of few-shots: line patterns, and few-shot text to typed lines."""

import re

from fixieai.protocol.transcript import CONTINUATION, FewShot, Line, LineKind

# Validation (few_shot_validation) knows the original's \w+ ids only. In a running conversation an
# agent is also addressed by its full id, `owner/handle`, and a handle may hold hyphens.
FUNC_NAME = r"\w{1,64}"
AGENT_ID = r"[\w-]{1,64}(?:/[\w-]{1,64})?"

_LINE = re.compile(
    rf"(?P<query>Q):"
    rf"|(?P<response>A):"
    rf"|Ask Func\[(?P<ask_func>{FUNC_NAME})\]:"
    rf"|Func\[(?P<func_says>{FUNC_NAME})\] says:"
    rf"|Ask Agent\[(?P<ask_agent>{AGENT_ID})\]:"
    rf"|Agent\[(?P<agent_says>{AGENT_ID})\] says:"
    rf"|(?P<thought>Thought|Self Ask):"
)


def parse_line(text: str) -> Line | None:
    """The protocol line that a single line of text begins, or None for a continuation."""
    match = _LINE.match(text)
    if match is None or match.lastgroup is None:
        return None
    kind = LineKind(match.lastgroup)
    name = "" if kind in (LineKind.QUERY, LineKind.RESPONSE) else match[match.lastgroup]
    return Line(kind, text[match.end() :].strip(), name)


def parse(text: str) -> FewShot:
    r"""Protocol text as typed lines. Splits on "\n" alone; text before the first line is dropped.

    A line that begins no protocol line continues the one above it.
    """
    lines: list[Line] = []
    bodies: list[list[str]] = []
    for raw in text.split("\n"):
        line = parse_line(raw)
        if line is not None:
            lines.append(line)
            bodies.append([line.text])
        elif bodies:
            bodies[-1].append(raw.removeprefix(CONTINUATION))
    return tuple(
        Line(line.kind, "\n".join(body).rstrip(), line.name) for line, body in zip(lines, bodies, strict=True)
    )
