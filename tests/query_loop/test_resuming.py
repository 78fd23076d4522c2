"""A query that was cut off goes on behind what was recorded as if nothing had happened."""

import pytest

from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.protocol.prompts import Rendering
from fixieai.protocol.transcript import Line, LineKind
from fixieai.query_loop.effects import CallAgent, CallFunc, CallLlm, Record

_COMPLETIONS = [
    "Thought: one die\nAsk Func[roll]: 20 1",
    "Ask Agent[fixie/calc]: 1 + 1",
    "Func[fixie_utc_datetime] says:",
    "Ask Func[nope]: x",
    "Ask Func[roll]: 6 1 #picture",
    "Thought: that is all\nA: It is 42. #picture",
]
_PICTURE = Embed("image/png", "data:,x")


def _says(effect: CallFunc | CallAgent) -> Message:
    return Message(f"42 to {effect.message.text} #picture", {"picture": _PICTURE})


@pytest.mark.parametrize("rendering", list(Rendering))
def test_wherever_it_was_cut_off_the_rest_is_the_same(play, dice, rendering):
    whole = play(dice, _COMPLETIONS, _says, rendering=rendering)
    assert whole.line is not None
    cuts = [at for at, effect in enumerate(whole.effects) if _is_stored(effect)]
    assert len(cuts) == 10
    for cut in cuts:
        before, after = whole.effects[: cut + 1], whole.effects[cut + 1 :]
        done = [effect.line for effect in before if isinstance(effect, Record)]
        completions = _COMPLETIONS[sum(isinstance(effect, CallLlm) for effect in before) :]
        resumed = play(dice, completions, _says, rendering=rendering, done=done)
        assert [_shown(effect) for effect in resumed.effects] == [_shown(effect) for effect in after]
        assert resumed.line == whole.line


def test_limits_count_what_was_done_before(play, dice):
    whole = play(dice, ["Ask Func[roll]: 20 1"] * 30)
    done = whole.recorded[:-2]
    assert len(play(dice, ["Ask Func[roll]: 20 1"] * 30, done=done).prompts) == 1
    unknown = play(dice, ["Ask Func[nope]: x"] * 3).recorded
    assert len(play(dice, ["Ask Func[nope]: x"] * 3, done=unknown).prompts) == 1


@pytest.mark.parametrize("rendering", list(Rendering))
def test_a_model_that_only_thought_before_it_was_cut_off_has_one_more_chance(play, dice, rendering):
    done = [Line(LineKind.THOUGHT, "hm", "Thought")]
    assert play(dice, ["Thought: again"], rendering=rendering, done=done).error is not None
    assert play(dice, ["A: ok"], rendering=rendering, done=done).line is not None


def _is_stored(effect: object) -> bool:
    """A thought is stored together with what follows it, and the answer with the end of the query."""
    kinds = (LineKind.THOUGHT, LineKind.RESPONSE)
    return isinstance(effect, Record) and effect.line.kind not in kinds


def _shown(effect: object) -> object:
    return effect.prompt if isinstance(effect, CallLlm) else effect
