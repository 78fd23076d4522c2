"""The lexical router: the agent whose sample queries share the rarest words with the question."""

import pytest

from fixieai.platform.router import choose
from fixieai.storage.agents import Samples

AGENTS = [
    Samples("local/dice", ("Roll a d20", "Roll 3d8")),
    Samples("local/stock", ("What is the price of GOOG?", "Which is higher, GOOG or MSFT?")),
    Samples("local/weather", ("What is the weather in Paris?", "Will it rain in London tomorrow?")),
    Samples("local/silent", ()),
]


@pytest.mark.parametrize(
    ("question", "chosen"),
    [
        ("Roll 2d20", "local/dice"),
        ("please roll three d6 for me", "local/dice"),
        ("What is the price of NVDA?", "local/stock"),
        ("What is the weather in Lisbon?", "local/weather"),
        ("Will it rain in Rome today?", "local/weather"),
        ("silent", "local/silent"),
        ("Translate this into Finnish", None),
        ("", None),
        ("???", None),
    ],
)
def test_the_agent_with_the_most_similar_sample_query_is_chosen(question: str, chosen: str | None) -> None:
    assert choose(question, AGENTS) == chosen


def test_without_agents_there_is_no_choice() -> None:
    assert choose("Roll 2d20", []) is None
