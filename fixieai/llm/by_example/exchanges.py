"""A question with its steps and its answer: of an example, or of the conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fixieai.protocol.transcript import Line, LineKind

_ASKS = frozenset((LineKind.ASK_FUNC, LineKind.ASK_AGENT))
_SAYS = frozenset((LineKind.FUNC_SAYS, LineKind.AGENT_SAYS))


@dataclass(frozen=True, slots=True)
class Step:
    """What was thought, what was asked, and what came back.

    `ask` is the reply's own line without its text where a few-shot has a reply that nothing asked for.
    """

    thoughts: tuple[Line, ...]
    ask: Line
    reply: str

    @property
    def partner(self) -> tuple[bool, str]:
        """Who was asked: whether it is a func, and its name."""
        return self.ask.kind in (LineKind.ASK_FUNC, LineKind.FUNC_SAYS), self.ask.name


@dataclass(frozen=True, slots=True)
class Exchange:
    """`answer` is None while there is none. `before` is the exchange that it follows."""

    question: str
    steps: tuple[Step, ...] = ()
    closing_thoughts: tuple[Line, ...] = ()
    answer: str | None = None
    before: "Exchange | None" = None


def exchanges(lines: Sequence[Line]) -> list[Exchange]:
    """The exchanges of a few-shot or a conversation. Lines before the first question belong to none."""
    found: list[Exchange] = []
    thoughts: tuple[Line, ...] = ()
    ask: Line | None = None
    for line in lines:
        if line.kind is LineKind.QUERY:
            found.append(Exchange(line.text, before=found[-1] if found else None))
            thoughts, ask = (), None
        elif line.kind is LineKind.THOUGHT:
            thoughts += (line,)
        elif line.kind in _ASKS:
            ask = line
        elif found and line.kind in _SAYS:
            step = Step(thoughts, ask or replace(line, text=""), line.text)
            found[-1] = replace(found[-1], steps=(*found[-1].steps, step))
            thoughts, ask = (), None
        elif found and found[-1].answer is None:
            found[-1] = replace(found[-1], answer=line.text, closing_thoughts=thoughts)
            thoughts, ask = (), None
    return found
