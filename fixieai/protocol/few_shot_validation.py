"""What a base prompt and a few-shot must look like. Every error names the line and what was expected there.

A line that matches no pattern is free text and belongs to the patterned line above it. Because ids are
`\\w+` here, `Ask Agent[owner/handle]:` is free text too: it is neither paired nor checked.
"""

import enum
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

IsFuncName = Callable[[str], bool]

# An odd run of #: "##" stands for a literal "#".
_EMBED_REFERENCE = re.compile(r"(?<!#)(?:##)*#(\w+)")
_BLANKS = (" ", "\t", "\r")


class FewshotLinePattern(enum.Enum):
    """The kinds of line in a few-shot, each with the pattern of its beginning."""

    QUERY = re.compile(r"^Q:")
    AGENT_SAYS = re.compile(r"^Agent\[(?P<agent_id>\w+)] says:")
    FUNC_SAYS = re.compile(r"^Func\[(?P<func_name>\w+)] says:")
    ASK_AGENT = re.compile(r"^Ask Agent\[(?P<agent_id>\w+)]:")
    ASK_FUNC = re.compile(r"^Ask Func\[(?P<func_name>\w+)]:")
    RESPONSE = re.compile(r"^A:")
    NO_PATTERN = None

    @classmethod
    def match(cls, line: str) -> re.Match[str] | None:
        """The match of the pattern that `line` begins with; its kind is `FewshotLinePattern(match.re)`.

        Raises:
            ValueError: `line` is more than one line, or a `Q:` without a query.
        """
        if "\n" in line:
            raise ValueError(f"expected a single line, got {line.count(chr(10)) + 1} lines")
        if line.rstrip() == "Q:":
            raise ValueError("expected a query after `Q:`")
        matches = (kind.value.match(line) for kind in cls if kind.value is not None)
        return next((match for match in matches if match), None)


class FewShotError(ValueError):
    """A prompt or few-shot breaks a rule. `line` counts from 1."""

    def __init__(self, line: int, text: str, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(f"line {line} ({_shortened(text)}): {problem}")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, and the kind of patterned line that it is or belongs to. `name` is the func or agent."""

    number: int
    text: str
    kind: FewshotLinePattern
    name: str
    is_patterned: bool

    def error(self, problem: str) -> FewShotError:
        return FewShotError(self.number, self.text, problem)


_ANSWERS = {
    FewshotLinePattern.ASK_AGENT: (FewshotLinePattern.AGENT_SAYS, "Agent[{}] says:"),
    FewshotLinePattern.ASK_FUNC: (FewshotLinePattern.FUNC_SAYS, "Func[{}] says:"),
}
_FUNC_KINDS = (FewshotLinePattern.ASK_FUNC, FewshotLinePattern.FUNC_SAYS)
_EMBED_SOURCES = (FewshotLinePattern.QUERY, FewshotLinePattern.FUNC_SAYS, FewshotLinePattern.AGENT_SAYS)


def validate_base_prompt(prompt: str) -> None:
    """Raises FewShotError when the prompt or one of its lines begins or ends with white space."""
    _check_blanks(prompt)
    if prompt.startswith("\n"):
        raise FewShotError(1, "", "expected no empty line at the beginning")


def validate_few_shot(shot: str, conversational: bool, is_func_name: IsFuncName) -> None:
    """Checks one few-shot.

    Args:
        conversational: the shot may hold several turns, each from `Q:` to `A:`.
        is_func_name: whether the few-shots may name that func.

    Raises:
        FewShotError: the first broken rule.
    """
    _check_blanks(shot)
    lines = list(_read(shot))
    patterned = [line for line in lines if line.is_patterned]
    _check_func_names(patterned, is_func_name)
    _check_answers(patterned)
    _check_turns(patterned, conversational)
    _check_embeds(lines)


def _check_blanks(text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(_BLANKS) or line.endswith(_BLANKS):
            raise FewShotError(number, line, "expected no space, tab or carriage return at its ends")
    if text.endswith("\n"):
        raise FewShotError(text.count("\n") + 1, "", "expected no empty line at the end")


def _read(shot: str) -> Iterator[_Line]:
    kind, name = FewshotLinePattern.NO_PATTERN, ""
    for number, text in enumerate(shot.split("\n"), 1):
        try:
            match = FewshotLinePattern.match(text)
        except ValueError as error:
            raise FewShotError(number, text, str(error)) from error
        if match is not None:
            kind, name = FewshotLinePattern(match.re), "".join(match.groups())
        elif number == 1:
            raise FewShotError(number, text, "expected a few-shot to begin with `Q:` and a query")
        yield _Line(number, text, kind, name, match is not None)


def _check_func_names(patterned: Sequence[_Line], is_func_name: IsFuncName) -> None:
    for line in patterned:
        if line.kind in _FUNC_KINDS and not is_func_name(line.name):
            raise line.error(
                f"expected the name of a registered func, or one that begins with `fixie_`, not {line.name!r}"
            )


def _check_answers(patterned: Sequence[_Line]) -> None:
    for line, following in zip(patterned, [*patterned[1:], None], strict=True):
        if line.kind not in _ANSWERS:
            continue
        kind, prefix = _ANSWERS[line.kind]
        if following is None or (following.kind, following.name) != (kind, line.name):
            broken = following or line
            raise broken.error(f"expected `{prefix.format(line.name)}` after line {line.number}")


def _check_turns(patterned: Sequence[_Line], conversational: bool) -> None:
    first, last = patterned[0], patterned[-1]
    if first.kind is not FewshotLinePattern.QUERY:
        raise first.error("expected a few-shot to begin with `Q:` and a query")
    is_open = False
    for line in patterned:
        _check_turn(line, is_open, conversational or line is first)
        if line.kind is FewshotLinePattern.QUERY:
            is_open = True
        elif line.kind is FewshotLinePattern.RESPONSE:
            is_open = False
    if is_open:
        raise last.error("expected the last turn to end with `A:` and the answer")


def _check_turn(line: _Line, is_open: bool, may_begin: bool) -> None:
    if line.kind is not FewshotLinePattern.QUERY:
        if not is_open:
            raise line.error("expected nothing after `A:` but the `Q:` of the next turn")
    elif is_open:
        raise line.error("expected `A:` before the next `Q:`")
    elif not may_begin:
        raise line.error(
            "expected one `Q:` only: set conversational=True for several turns in one few-shot, "
            "or put an empty line before each `Q:`"
        )


def _check_embeds(lines: Sequence[_Line]) -> None:
    known: set[str] = set()
    for line in lines:
        keys = set(_EMBED_REFERENCE.findall(line.text))
        if line.kind in _EMBED_SOURCES:
            known |= keys
        elif unknown := sorted(keys - known):
            raise line.error(
                f"expected #{unknown[0]} to appear first in a `Q:` or `says:` line above "
                f"(write ## for a literal #)"
            )


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
