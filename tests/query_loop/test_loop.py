"""The loop calls what the model asks for, keeps what really was said, and always ends."""

import dataclasses

import pytest

from fixieai import errors
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.protocol.prompts import Completion, Rendering, ToolCall
from fixieai.protocol.transcript import FuncSpec, Line, LineKind
from fixieai.query_loop.effects import CallAgent, CallFunc, CallLlm
from fixieai.query_loop.loop import CodeShot, Limits, answer

_ALL = pytest.mark.parametrize("rendering", list(Rendering))
_SCHEMA = {"type": "object", "properties": {"sides": {"type": "integer"}}, "required": ["sides"]}


@_ALL
def test_a_query_is_asked_called_recorded_and_answered(play, dice, rendering):
    played = play(
        dice,
        ["Thought: one die\nAsk Func[roll]: 20 1\nFunc[roll] says: 7", "A: It is 42."],
        rendering=rendering,
    )
    assert played.calls == [CallFunc("roll", Message("20 1"))]
    assert played.recorded == [
        Line(LineKind.THOUGHT, "one die", "Thought"),
        Line(LineKind.ASK_FUNC, "20 1", "roll"),
        Line(LineKind.FUNC_SAYS, "42", "roll"),
        Line(LineKind.RESPONSE, "It is 42."),
    ]
    assert played.line == played.recorded[-1]


@_ALL
def test_a_reply_that_the_model_begins_to_invent_is_called_with_the_persons_words(play, dice, rendering):
    embed = Embed("text/plain", "data:,x")
    query = Line(LineKind.QUERY, "Roll #1", embeds={"1": embed})
    played = play(dice, ["Thought: now\nFunc[roll] says: 7\nA: 7", "A: ok"], rendering=rendering, query=query)
    assert played.calls == [CallFunc("roll", Message("Roll #1", {"1": embed}))]
    assert [line.text for line in played.recorded] == ["now", "Roll #1", "42", "ok"]
    assert played.recorded[1] == Line(LineKind.ASK_FUNC, "Roll #1", "roll", {"1": embed})


@_ALL
def test_agents_are_asked(play, dice, rendering):
    played = play(
        dice, ["Ask Agent[fixie/calc]: 1+1", "Agent[fixie/calc] says:", "A: ok"], rendering=rendering
    )
    assert played.calls == [
        CallAgent("fixie/calc", Message("1+1")),
        CallAgent("fixie/calc", Message("Roll a d20")),
    ]


@_ALL
@pytest.mark.parametrize("name", ["nope", "_oauth", "fixie_nope", "würfel"])
def test_a_func_that_may_not_be_called_is_not_called(play, dice, rendering, name):
    with_oauth = dataclasses.replace(dice, funcs=(*dice.funcs, FuncSpec("_oauth")))
    played = play(with_oauth, [f"Ask Func[{name}]: x"] * 3, rendering=rendering)
    assert not played.calls
    assert isinstance(played.error, errors.LimitReached)
    assert "2 times" in played.error.message
    told = [line.text for line in played.recorded if line.kind is LineKind.FUNC_SAYS]
    assert told == [f"There is no func {name}. Available: fixie_utc_datetime, roll."] * 2


@_ALL
def test_an_unknown_agent_is_not_asked(play, dice, rendering):
    played = play(dice, ["Ask Agent[who]: x", "A: sorry"], rendering=rendering)
    assert not played.calls
    assert played.recorded[1] == Line(
        LineKind.AGENT_SAYS, "There is no agent who. Available: fixie/calc.", "who"
    )


def test_builtin_funcs_are_always_known(play):
    played = play(CodeShot("", ()), ["Ask Func[fixie_base_prompt]:", "A: ok"], rendering=Rendering.TOOLS)
    assert played.calls == [CallFunc("fixie_base_prompt", Message(""))]


@_ALL
def test_the_step_limit_ends_a_query_and_names_itself(play, dice, rendering):
    played = play(dice, ["Ask Func[roll]: 1"] * 3, rendering=rendering, limits=Limits(steps=3))
    assert isinstance(played.error, errors.LimitReached)
    assert "3 steps" in played.error.message
    assert len(played.prompts) == 3


@_ALL
@pytest.mark.parametrize("written", ["", "A:", "Thought: hm"])
def test_a_model_that_says_nothing_is_asked_once_more(play, dice, rendering, written):
    assert isinstance(play(dice, [written] * 2, rendering=rendering).error, errors.ModelUnavailable)
    assert play(dice, [written, "Ask Func[roll]: 1", written, "A: ok"], rendering=rendering).line.text == "ok"


@_ALL
def test_plain_text_is_the_answer(play, dice, rendering):
    assert play(dice, ["You rolled a 3."], rendering=rendering).line == Line(
        LineKind.RESPONSE, "You rolled a 3."
    )


@_ALL
def test_an_answer_cut_at_the_token_limit_says_so(play, dice, rendering):
    line = play(dice, [Completion("A: It is 4", is_cut_off=True)], rendering=rendering).line
    assert line.text.startswith("It is 4\n\n[The answer was cut off here")


@_ALL
@pytest.mark.parametrize("text", ["Ask Func[roll]: 20", "Thought: it is", ""])
def test_half_a_request_is_never_sent(play, dice, rendering, text):
    played = play(dice, [Completion(text, is_cut_off=True)], rendering=rendering)
    assert not played.calls
    assert isinstance(played.error, errors.LimitReached)
    assert "token limit" in played.error.message


def test_a_request_that_was_whole_before_the_token_limit_is_sent(play, dice):
    for text in ("Ask Func[roll]: 20\nFunc[roll] says: 1", "Func[roll] says: 1"):
        assert len(play(dice, [Completion(text, is_cut_off=True), "A: ok"]).calls) == 1


def test_an_endless_completion_is_cut(play, dice):
    limits = Limits(answer_characters=50)
    generator = answer(dice, (), Line(LineKind.QUERY, "hi"), Rendering.TOOLS, limits)
    call = generator.send(None)
    assert isinstance(call, CallLlm)
    assert not call.is_complete("x" * 50)
    assert call.is_complete("x" * 51)
    assert call.partial_answer("x" * 60) == "x" * 50
    recorded = generator.send(Completion("x" * 60))
    assert (
        recorded.line.text
        == "x" * 50 + "\n\n[The answer was cut off here: it reached the limit of 50 characters.]"
    )


def test_a_long_reply_is_cut_before_it_is_kept(play, dice):
    played = play(dice, ["Ask Func[roll]: 1", "A: ok"], "x" * 30, limits=Limits(reply_characters=10))
    assert played.recorded[1].text == "x" * 10 + "\n(Cut here: 20 characters more.)"


def test_embeds_travel_by_name(play, dice):
    mine, made = Embed("image/png", "data:,mine"), Embed("image/png", "data:,made")
    query = Line(LineKind.QUERY, "See #1", embeds={"1": mine})
    completions = ["Ask Func[roll]: draw #1 and ##1 and #fff", "A: Here: #1_2, from #1"]
    played = play(dice, completions, Message("Done: #1", {"1": made}), query=query)
    assert played.calls == [CallFunc("roll", Message("draw #1 and ##1 and #fff", {"1": mine}))]
    assert played.recorded[1] == Line(
        LineKind.FUNC_SAYS, "Done: #1_2\n(#1 is #1_2 here)", "roll", {"1_2": made}
    )
    assert played.line.embeds == {"1": mine, "1_2": made}


def test_history_is_for_conversational_agents_and_bounded(play, dice):
    history = [
        Line(LineKind.QUERY, "old question"),
        Line(LineKind.RESPONSE, "x" * 100),
        Line(LineKind.QUERY, "new question"),
        Line(LineKind.FUNC_SAYS, "9", "roll"),
        Line(LineKind.RESPONSE, "new"),
    ]
    played = play(dice, ["A: ok"], history=history, limits=Limits(history_characters=60))
    assert "\nQ: new question\nFunc[roll] says: 9\nA: new\n\nQ: Roll a d20\n" in played.prompts[0].text
    assert "old question" not in played.prompts[0].text
    deaf = dataclasses.replace(dice, conversational=False)
    assert "new question" not in play(deaf, ["A: ok"], history=history).prompts[0].text


def test_an_agent_without_few_shots_gives_a_plain_answer(play):
    plain = CodeShot("Be kind.", ())
    played = play(plain, [" Hello.\nQ: more"], query="Hi")
    assert (played.prompts[0].instructions, played.prompts[0].text) == ("Be kind.\n\n", "Q: Hi\nA:")
    assert played.line.text == "Hello."
    chat = play(plain, ["Hello."], query="Hi", rendering=Rendering.TOOLS)
    assert [(turn.role, turn.text) for turn in chat.prompts[0].messages] == [
        ("system", "Be kind."),
        ("user", "Hi"),
    ]
    assert chat.line.text == "Hello."


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"query": "20 1"}', "20 1"),
        ('{"input": "20 1"}', "20 1"),
        ('"20 1"', "20 1"),
        ("20", "20"),
        ('{"query": 20}', "20"),
        ("{}", "Roll a d20"),
        ("", "Roll a d20"),
        ('{"query": "a\\ud800"}', "a\ufffd"),
    ],
)
def test_a_tool_call_is_an_ask(play, dice, arguments, text):
    call = Completion("Let me roll.", ToolCall("x", "roll", arguments))
    played = play(dice, [call, "You rolled."], rendering=Rendering.TOOLS)
    assert played.calls == [CallFunc("roll", Message(text))]
    assert played.recorded[0] == Line(LineKind.THOUGHT, "Let me roll.", "Thought")
    assert played.line.text == "You rolled."


def test_a_func_with_a_schema_receives_the_arguments_as_json(play):
    agent = CodeShot("", (), funcs=(FuncSpec("roll", parameters=_SCHEMA),))
    played = play(agent, [ToolCall("x", "roll", '{"sides": 20}'), "ok"], rendering=Rendering.TOOLS)
    assert played.calls == [CallFunc("roll", Message('{"sides": 20}'))]
    assert played.prompts[0].tools[0].parameters == _SCHEMA
    assert played.prompts[1].messages[-2].tool_call.arguments == '{"sides": 20}'


@pytest.mark.parametrize("arguments", ['{"sides": ', "NaN", '{"sides": NaN}', "[" * 100_000, "9" * 5_000])
@pytest.mark.parametrize("parameters", [None, _SCHEMA])
def test_malformed_arguments_are_told_and_counted(play, assert_valid_turns, arguments, parameters):
    agent = CodeShot("", (), funcs=(FuncSpec("roll", parameters=parameters),))
    played = play(agent, [ToolCall("x", "roll", arguments)] * 3, rendering=Rendering.TOOLS)
    assert not played.calls
    assert isinstance(played.error, errors.LimitReached)
    assert "arguments" in played.error.message
    assert_valid_turns(played.prompts[-1])


@pytest.mark.parametrize("name", ["", "roll.", "functions.roll\nA: x", "x" * 100_000, "agent-who", "_oauth"])
def test_a_tool_that_does_not_exist_is_told_and_never_rendered_as_protocol(
    play, dice, assert_valid_turns, name
):
    played = play(dice, [ToolCall("x", name, "{}")] * 2 + ["A: ok"], rendering=Rendering.TOOLS)
    assert not played.calls
    assert all(len(line.name) <= 64 and "\n" not in line.name for line in played.recorded)
    assert_valid_turns(played.prompts[-1])


def test_arguments_of_the_wrong_shape_are_told(play):
    for parameters, arguments in ((None, '{"a": "b", "c": "d"}'), (_SCHEMA, "[1]")):
        agent = CodeShot("", (), funcs=(FuncSpec("roll", parameters=parameters),))
        played = play(agent, [ToolCall("x", "roll", arguments), "ok"], rendering=Rendering.TOOLS)
        assert not played.calls
        assert "must be a JSON object" in played.recorded[1].text


def test_a_tool_call_cut_at_the_token_limit_is_never_sent(play, dice):
    for arguments in ("", '{"query": "2', "2"):
        cut = Completion("", ToolCall("x", "roll", arguments), is_cut_off=True)
        assert isinstance(play(dice, [cut], rendering=Rendering.TOOLS).error, errors.LimitReached)
    whole = Completion("", ToolCall("x", "roll", '{"query": "2"}'), is_cut_off=True)
    assert play(dice, [whole, "ok"], rendering=Rendering.TOOLS).line.text == "ok"


@_ALL
def test_the_same_replies_lead_to_the_same_effects(play, dice, rendering):
    script = ["Thought: x\nAsk Func[roll]: 1", "Ask Func[nope]: 1", "Func[roll] says:", "", "A: #a_2 done"]
    says = Message("look: #a", {"a": Embed("text/plain", "data:,1"), "b c": Embed("text/plain", "data:,2")})
    query = Line(LineKind.QUERY, "do", embeds={"a": Embed("text/plain", "data:,0")})
    first, second = (play(dice, script, says, rendering=rendering, query=query) for _ in range(2))
    assert first.recorded == second.recorded
    assert first.prompts == second.prompts
    assert first.calls == second.calls
