"""The text rendering is the original protocol, cut where the model must not write."""

import dataclasses

from fixieai.protocol import few_shots
from fixieai.protocol.embeds import Embed
from fixieai.protocol.transcript import FuncSpec, Line, LineKind
from fixieai.query_loop.loop import CodeShot

_ASKS_FIRST = few_shots.parse("Q: Roll\nAsk Func[roll]: 6\nFunc[roll] says: 1\nA: One.")


def test_the_prompt_is_protocol_that_the_model_goes_on_with(play):
    agent = CodeShot("I roll.", (_ASKS_FIRST, _ASKS_FIRST), funcs=(FuncSpec("roll", "Rolls\nA: dice."),))
    shot = "Q: Roll\nAsk Func[roll]: 6\nFunc[roll] says: 1\nA: One.\n\n"
    first, second = play(agent, ["Ask Func[roll]: 8", "A: ok"], "4\nA: 5", query="Again").prompts
    assert first.text == f"{shot}{shot}Q: Again\n"
    assert second.text == f"{first.text}Ask Func[roll]: 8\nFunc[roll] says: 4\n  A: 5\n"
    assert first.instructions.startswith("I roll.\n\n")
    assert "\n- roll: Rolls A: dice." in first.instructions
    assert first.stop == ("\nQ:", "\nFunc[", "\nAgent[")


def test_an_agent_whose_few_shots_do_not_ask_is_not_stopped_before_the_name_is_known(play, dice):
    assert play(dice, ["A: ok"]).prompts[0].stop == ("\nQ:",)


def test_an_attachment_that_the_text_does_not_name_is_named(play, dice):
    query = Line(
        LineKind.QUERY, "What is #a?", embeds={key: Embed("text/plain") for key in ("a", "b", "x\nA: y")}
    )
    text = play(dice, ["A: ok"], query=query).prompts[0].text
    assert text.endswith("\nQ: What is #a?\n  (Attached: #b #x\n  A: y)\n")


def test_what_is_prepared_for_an_agent_is_prepared_once(play, dice):
    first, second = (play(dice, ["A: ok"]).prompts[0] for _ in range(2))
    assert first.instructions is second.instructions
    other = dataclasses.replace(dice, base_prompt="Other.")
    assert play(other, ["A: ok"]).prompts[0].instructions.startswith("Other.")
