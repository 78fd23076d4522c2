r"""Reading what a model wrote: thoughts, then one action. The only parser that acts on anything.

A completion is read line by line, split at "\n" alone, with protocol at column 0 only. The
first action is taken; whatever protocol line follows it ends the reading. A model that
writes `Func[x] says:` wants x called: its invention is dropped.

Text without any protocol is what chat models write instead of `A:`. What it means depends
on how the model was asked (`Plain`). A text that grows is read the same way as the whole:
the last, unfinished line counts only once nothing can turn it into a protocol line any more.
"""

import enum
import re
from dataclasses import dataclass

from fixieai.protocol.few_shots import parse_line
from fixieai.protocol.transcript import CONTINUATION, Line, LineKind

SAYS = frozenset({LineKind.FUNC_SAYS, LineKind.AGENT_SAYS})

_WORDS = ("Q:", "A:", "Thought:", "Self Ask:")
_BRACKETS = ("Ask Func[", "Func[", "Ask Agent[", "Agent[")
_UNFINISHED_NAME = re.compile(r"[\w/-]{0,129}(?:\][ a-z]{0,5})?")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Plain(enum.Enum):
    """What text without a protocol prefix means at the start of a completion."""

    PREFACE = enum.auto()  # a thought, if an action follows; else the answer
    ANSWER = enum.auto()  # the answer, up to the next protocol line
    WHOLE = enum.auto()  # the answer, all of it: quoted protocol is only text


@dataclass(frozen=True, slots=True)
class Step:
    """What one completion says.

    `action` is an ASK_FUNC, ASK_AGENT or RESPONSE; or a FUNC_SAYS or AGENT_SAYS without text: the
    model began to write the reply of something that is yet to be called; or None.
    `is_whole`: the action was seen to end, so a token limit did not cut it.
    `problem`: why the action cannot be done, for the model to read.
    """

    thoughts: tuple[Line, ...] = ()
    action: Line | None = None
    is_whole: bool = False
    problem: str = ""


class Reader:
    """Reads one completion as it grows. Each call takes all of the text so far."""

    def __init__(self, plain: Plain) -> None:
        self._plain = plain
        self._restart()

    def is_complete(self, text: str) -> bool:
        """Whether nothing that may still follow can matter."""
        return self._read(text).is_over

    def partial_answer(self, text: str) -> str | None:
        """The beginning of the answer, or None while there is none. It only ever grows."""
        return self._read(text).answer_so_far() or None

    def _restart(self) -> None:
        self._draft = _Draft(self._plain)
        self._seen = ""
        self._line_start = 0

    def _read(self, text: str) -> "_Draft":
        if not text.startswith(self._seen):  # the call was repeated and writes something else
            self._restart()
        self._seen = text
        while (end := text.find("\n", self._line_start)) >= 0:
            self._draft.add(text[self._line_start : end])
            self._line_start = end + 1
        tail = text[self._line_start :]
        if not self._draft.can_tell(tail):
            return self._draft
        with_tail = self._draft.copy()
        with_tail.add(tail)
        return with_tail


def is_complete(text: str, plain: Plain = Plain.PREFACE) -> bool:
    return Reader(plain).is_complete(text)


def partial_answer(text: str, plain: Plain = Plain.PREFACE) -> str | None:
    return Reader(plain).partial_answer(text)


def parse_completion(text: str, plain: Plain = Plain.PREFACE) -> Step:
    draft = _Draft(plain)
    for raw in text.split("\n"):
        draft.add(raw)
    return draft.step()


def storable(text: str) -> str:
    """NUL and lone surrogates, which databases and UTF-8 refuse, become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def may_begin_protocol(tail: str) -> bool:
    """Whether an unfinished line that is no protocol line yet may become one."""
    if any(start.startswith(tail) for start in (*_WORDS, *_BRACKETS)):
        return True
    return any(
        tail.startswith(start) and _UNFINISHED_NAME.fullmatch(tail, len(start)) is not None
        for start in _BRACKETS
    )


class _Body:
    """A protocol line and the lines that continue it, or a stretch of plain text."""

    __slots__ = ("is_plain", "kind", "lines", "name")

    def __init__(self, kind: LineKind, name: str, lines: list[str], *, is_plain: bool = False) -> None:
        self.kind = kind
        self.name = name
        self.lines = lines
        self.is_plain = is_plain

    def copy(self) -> "_Body":
        return _Body(self.kind, self.name, list(self.lines), is_plain=self.is_plain)

    def text(self) -> str:
        lines = self.lines if self.is_plain else [self.lines[0], *_unindented(self.lines[1:])]
        first = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
        return "\n".join(lines[first:]).rstrip()

    def line(self) -> Line:
        return Line(self.kind, "" if self.kind in SAYS else self.text(), self.name)


def _unindented(lines: list[str]) -> list[str]:
    """Without the continuation indent, if the first line has it: else the indents are the text's own."""
    first = next((line for line in lines if line.strip()), "")
    return [line.removeprefix(CONTINUATION) for line in lines] if first.startswith(CONTINUATION) else lines


class _Draft:
    """The lines read so far."""

    __slots__ = ("_bodies", "_plain", "is_over")

    def __init__(self, plain: Plain) -> None:
        self._plain = plain
        self._bodies: list[_Body] = []
        self.is_over = False

    def copy(self) -> "_Draft":
        draft = _Draft(self._plain)
        draft._bodies = [*self._bodies[:-1], *(body.copy() for body in self._bodies[-1:])]
        draft.is_over = self.is_over
        return draft

    def can_tell(self, tail: str) -> bool:
        if self.is_over or self._is_only_text():
            return True
        start = tail if self._bodies else tail.lstrip()
        return parse_line(start) is not None or not may_begin_protocol(start)

    def add(self, raw: str) -> None:
        if self.is_over:
            return
        raw = storable(raw) if self._bodies else storable(raw.lstrip())
        line = None if self._is_only_text() else parse_line(raw)
        if line is None:
            self._add_text(raw)
        elif self._has_action() or line.kind is LineKind.QUERY:
            self._add_forbidden(raw)
        else:
            self._bodies.append(_Body(line.kind, line.name, [line.text]))
            self.is_over = line.kind in SAYS

    def answer_so_far(self) -> str:
        last = self._bodies[-1] if self._bodies else None
        return last.text() if last is not None and last.kind is LineKind.RESPONSE else ""

    def step(self) -> Step:
        lines = [body.line() for body in self._bodies]
        if len(lines) == 1 and self._bodies[0].is_plain:
            lines = [Line(LineKind.RESPONSE, lines[0].text)]
        lines = [
            line for line in lines if line.text or line.kind not in (LineKind.THOUGHT, LineKind.RESPONSE)
        ]
        if lines and lines[-1].kind is not LineKind.THOUGHT:
            return Step(tuple(lines[:-1]), lines[-1], self.is_over)
        return Step(tuple(lines), None, self.is_over)

    def _is_only_text(self) -> bool:
        return self._plain is Plain.WHOLE and bool(self._bodies) and self._bodies[0].is_plain

    def _has_action(self) -> bool:
        return bool(self._bodies) and self._bodies[-1].kind is not LineKind.THOUGHT

    def _add_text(self, raw: str) -> None:
        if self._bodies:
            self._bodies[-1].lines.append(raw)
        elif raw:
            is_answer = self._plain is not Plain.PREFACE
            kind, name = (LineKind.RESPONSE, "") if is_answer else (LineKind.THOUGHT, "Thought")
            self._bodies.append(_Body(kind, name, [raw], is_plain=True))

    def _add_forbidden(self, raw: str) -> None:
        """A line the model must not write here; in a chat, an answer may well begin with `Q:`."""
        if self._plain is Plain.WHOLE and not self._bodies:
            self._add_text(raw)
        else:
            self.is_over = True
