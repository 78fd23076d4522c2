"""`play` runs the loop against a scripted model and scripted funcs, and keeps what the loop asked for."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from fixieai import errors
from fixieai.protocol import few_shots
from fixieai.protocol.messages import Message
from fixieai.protocol.prompts import ChatPrompt, Completion, Rendering, ToolCall
from fixieai.protocol.transcript import FuncSpec, Line, LineKind
from fixieai.query_loop.effects import CallAgent, CallFunc, CallLlm, Effect, Record
from fixieai.query_loop.loop import DEFAULT_LIMITS, CodeShot, Limits, answer

_DICE = """\
Q: Roll a d20
Thought: One die.
Ask Func[roll]: 20 1
Func[roll] says: 12
A: You rolled a 12!"""
_TIME = """\
Q: What time is it?
Func[fixie_utc_datetime] says: 10:00
Ask Agent[fixie/calc]: 10 + 2
Agent[fixie/calc] says: 12
A: Noon."""


@dataclass
class Played:
    """What the loop did."""

    effects: list[Effect] = field(default_factory=list)
    line: Line | None = None
    error: errors.FixieError | None = None

    @property
    def prompts(self) -> list:
        return [effect.prompt for effect in self.effects if isinstance(effect, CallLlm)]

    @property
    def recorded(self) -> list[Line]:
        return [effect.line for effect in self.effects if isinstance(effect, Record)]

    @property
    def calls(self) -> list[CallFunc | CallAgent]:
        return [effect for effect in self.effects if isinstance(effect, CallFunc | CallAgent)]


def _play(
    code_shot: CodeShot,
    completions: Sequence[str | Completion | ToolCall],
    says: str | Message | Callable[[CallFunc | CallAgent], Message] = "42",
    *,
    rendering: Rendering = Rendering.TEXT,
    query: str | Line = "Roll a d20",
    history: Sequence[Line] = (),
    limits: Limits = DEFAULT_LIMITS,
    done: Sequence[Line] = (),
) -> Played:
    line = Line(LineKind.QUERY, query) if isinstance(query, str) else query
    played, script = Played(), iter(completions)
    generator, reply = answer(code_shot, history, line, rendering, limits, done), None
    try:
        while True:
            effect = generator.send(reply)
            played.effects.append(effect)
            reply = _reply(effect, script, says)
    except StopIteration as stop:
        played.line = stop.value
    except errors.FixieError as error:
        played.error = error
    return played


def _reply(effect, script, says):
    if isinstance(effect, CallLlm):
        written = next(script)
        if isinstance(written, ToolCall):
            return Completion("", written)
        return Completion(written) if isinstance(written, str) else written
    if isinstance(effect, CallFunc | CallAgent):
        said = says(effect) if callable(says) else says
        return Message(said) if isinstance(said, str) else said
    return None


def _assert_valid_turns(prompt: ChatPrompt) -> None:
    """What the strictest servers ask: alternation, each call with its result, ids of nine characters."""
    turns = [turn for turn in prompt.messages if turn.role != "system"]
    assert [turn.role for turn in prompt.messages[1:]].count("system") == 0
    assert turns[0].role == "user"
    ids = [turn.tool_call.id for turn in turns if turn.tool_call]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 9 and one.isalnum() for one in ids)
    for before, turn in itertools.pairwise(turns):
        if before.tool_call:
            assert (turn.role, turn.tool_call_id) == ("tool", before.tool_call.id)
        else:
            assert (before.role, turn.role) in {
                ("user", "assistant"),
                ("assistant", "user"),
                ("tool", "assistant"),
            }
    assert turns[-1].role in {"user", "tool"}


@pytest.fixture(scope="session")
def play() -> Callable[..., Played]:
    return _play


@pytest.fixture(scope="session")
def assert_valid_turns() -> Callable[[ChatPrompt], None]:
    return _assert_valid_turns


@pytest.fixture(scope="session")
def dice() -> CodeShot:
    return CodeShot(
        "I roll virtual dice.",
        (few_shots.parse(_DICE), few_shots.parse(_TIME)),
        conversational=True,
        funcs=(FuncSpec("roll", "Rolls dice."), FuncSpec("fixie_utc_datetime")),
        agents=("fixie/calc",),
    )
