"""Any transcript becomes turns that strict servers take."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai.protocol import few_shots
from fixieai.protocol.prompts import ChatMessage, Rendering, ToolCall
from fixieai.protocol.transcript import FuncSpec, Line, LineKind, render
from fixieai.query_loop.loop import CodeShot
from fixieai.query_loop.tool_calls import agent_tool, func_tool

_FUNC_NAMES = st.from_regex(r"\w{1,64}", fullmatch=True)
_AGENT_IDS = st.from_regex(r"[\w-]{1,64}(/[\w-]{1,64})?", fullmatch=True)
_TEXTS = st.text(max_size=30)


@st.composite
def _lines(draw):
    kind = draw(st.sampled_from(LineKind))
    name = {LineKind.QUERY: "", LineKind.RESPONSE: "", LineKind.THOUGHT: "Thought"}.get(kind)
    if name is None:
        name = draw(st.sampled_from(["roll", "würfel", "a/b-c", "fixie_base_prompt"]) | _FUNC_NAMES)
    return Line(kind, draw(_TEXTS), name)


_TRANSCRIPTS = st.lists(_lines(), max_size=8)


@given(shots=st.lists(_TRANSCRIPTS, max_size=3), history=_TRANSCRIPTS)
def test_any_few_shots_and_history_become_valid_turns(play, assert_valid_turns, shots, history):
    agent = CodeShot("Prompt", tuple(map(tuple, shots)), True, (FuncSpec("roll"),), ("a/b-c",))
    script = ["Thought: a", "Ask Func[roll]: 1", "Ask Agent[a/b-c]: 1", "Thought: b", "A: done"]
    for prompt in play(agent, script, rendering=Rendering.TOOLS, history=history).prompts:
        assert_valid_turns(prompt)
        for turn in prompt.messages:
            if turn.tool_call:
                assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", turn.tool_call.name)
                assert isinstance(json.loads(turn.tool_call.arguments), dict)


@given(st.lists(_lines(), max_size=10) | st.text().map(few_shots.parse), st.sampled_from(Rendering))
def test_any_few_shot_text_is_read_and_rendered_without_an_error(play, lines, rendering):
    """The grammar, fuzzed: a transcript that is rendered and read again has the same lines."""
    shot = few_shots.parse(render(lines))
    again = few_shots.parse(render(shot))
    assert [(line.kind, line.name) for line in again] == [(line.kind, line.name) for line in shot]
    agent = CodeShot("", (shot,))
    assert play(agent, ["A: ok"], rendering=rendering).line.text == "ok"


def test_a_few_shot_becomes_turns(play, dice):
    turns = play(dice, ["ok"], rendering=Rendering.TOOLS).prompts[0].messages
    assert turns[1:9] == (
        ChatMessage("user", "Roll a d20"),
        ChatMessage("assistant", "Thought: One die.", ToolCall("e00000001", "roll", '{"query": "20 1"}')),
        ChatMessage("tool", "12", tool_call_id="e00000001"),
        ChatMessage("assistant", "You rolled a 12!"),
        ChatMessage("user", "What time is it?"),
        ChatMessage(
            "assistant", "", ToolCall("e00010001", "fixie_utc_datetime", '{"query": "What time is it?"}')
        ),
        ChatMessage("tool", "10:00", tool_call_id="e00010001"),
        ChatMessage("assistant", "", ToolCall("e00010002", "agent-fixie-calc", '{"query": "10 + 2"}')),
    )
    assert turns[-1] == ChatMessage("user", "Roll a d20")


def test_a_thought_before_an_answer_is_told_apart_from_it(play):
    shot = few_shots.parse("Q: 1+1\nThought: easy\nA: 2")
    turns = play(CodeShot("", (shot,)), ["Thought: so\nA: 3"], rendering=Rendering.TOOLS)
    assert turns.prompts[0].messages[2] == ChatMessage("assistant", "Thought: easy\nA: 2")
    assert turns.line.text == "3"


@given(st.sets(_FUNC_NAMES, max_size=20), st.sets(_AGENT_IDS, max_size=20))
def test_tool_names_are_allowed_and_never_shared(funcs, agents):
    names = [*map(func_tool, sorted(funcs)), *map(agent_tool, sorted(agents))]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("one", "other"), [("a-b/c", "a/b-c"), ("a/b", "a-b"), ("é", "è"), ("a" * 64, "a" * 63), ("a/b", "a_b")]
)
def test_agents_of_like_names_are_different_tools(one, other):
    assert agent_tool(one) != agent_tool(other)


def test_a_func_of_any_script_is_called_by_its_escaped_name(play):
    agent = CodeShot("", (), funcs=(FuncSpec("würfel"),))
    call = ToolCall("x", func_tool("würfel"), '{"query": "6"}')
    for name in (call.name, "würfel"):
        played = play(agent, [ToolCall("x", name, call.arguments), "ok"], rendering=Rendering.TOOLS)
        assert played.calls[0].name == "würfel"
