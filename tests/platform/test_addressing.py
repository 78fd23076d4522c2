"""Whom a text names in front."""

import pytest

from fixieai.platform import addressing


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("@dice Roll", ("dice", "Roll")),
        ("@ann/dice \n Roll\n2 ", ("ann/dice", "Roll\n2 ")),
        ("@dice", (None, "@dice")),
        ("@dice \n", (None, "@dice \n")),
        ("@a/b/c Roll", (None, "@a/b/c Roll")),
        (" @dice Roll", (None, " @dice Roll")),
        ("Roll @dice 2", (None, "Roll @dice 2")),
    ],
)
def test_a_text_is_for_an_agent_when_it_begins_with_its_name_and_says_something(text, split) -> None:
    assert addressing.split(text) == split
