import pathlib

import fixieai
from fixieai import testing

dice = testing.load(pathlib.Path(__file__).with_name("main.py"))


def test_a_roll_has_as_many_values_as_dice_each_within_its_sides() -> None:
    values = [int(value) for value in dice.roll(fixieai.Message("6 4")).split()]

    assert len(values) == 4
    assert all(1 <= value <= 6 for value in values)


def test_the_answer_adds_up_what_was_rolled() -> None:
    answer = testing.ask(dice.agent, "Roll 2d20")

    rolled = [int(value) for value in answer.said("roll").split()]
    assert len(rolled) == 2
    assert str(sum(rolled)) in answer.text
