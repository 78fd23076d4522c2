import pathlib

import fixieai
from fixieai import testing

chart = testing.load(pathlib.Path(__file__).with_name("main.py"))


def test_a_chart_has_one_bar_for_each_number() -> None:
    message = chart.chart(fixieai.Message("2 and 5.5"))

    image = message.embeds["chart"].content
    assert image.startswith(b"\x89PNG")
    assert int.from_bytes(image[16:20], "big") == 2 * (chart.BAR + chart.GAP) + chart.GAP


def test_the_answer_carries_the_picture() -> None:
    answer = testing.ask(chart.agent, "Draw a chart of 7 2 9 4")

    assert answer.text == "Here is your chart: #chart"
    assert answer.embeds["chart"].content_type == "image/png"
    assert answer.embeds["chart"].content == chart.bars([7, 2, 9, 4])
