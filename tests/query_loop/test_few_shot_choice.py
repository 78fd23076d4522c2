"""Few-shots that do not all fit are chosen by their likeness to the question."""

from hypothesis import given
from hypothesis import strategies as st

from fixieai.protocol import few_shots
from fixieai.query_loop.code_shot import CodeShot
from fixieai.query_loop.few_shot_choice import choose

_QUESTIONS = ("Roll a d20", "What is the weather in Paris?", "Roll 3d8 for me", "Tell me a joke")
_AGENT = CodeShot("", tuple(few_shots.parse(f"Q: {question}\nA: {'x' * 100}") for question in _QUESTIONS))


def test_all_are_shown_where_all_fit():
    assert choose(_AGENT, "anything", 10_000) == (0, 1, 2, 3)


def test_the_most_alike_are_shown_in_their_own_order():
    assert choose(_AGENT, "Please roll 2d6", 350) == (0, 2)
    assert choose(_AGENT, "how is the WEATHER today", 200) == (1,)


def test_one_is_shown_even_beyond_the_budget_and_a_question_like_none_takes_the_first():
    assert choose(_AGENT, "joke", 1) == (3,)
    assert choose(_AGENT, "", 350) == (0, 1)


@given(st.text(), st.integers(0, 1000))
def test_a_choice_is_ordered_and_fits(question, characters):
    chosen = choose(_AGENT, question, characters)
    assert chosen == tuple(sorted(set(chosen)))
    assert len(chosen) == 1 or 120 * len(chosen) <= characters


def test_an_agent_without_few_shots_has_none_to_choose():
    assert choose(CodeShot("", ()), "hi", 0) == ()
