"""The lexical router: the agent whose sample queries share the rarest words with the question."""

import sys
from collections.abc import Callable

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


def test_a_long_question_is_not_gone_through_again_for_every_sample_query() -> None:
    """It is compared on the event loop, where all others wait meanwhile."""
    words = 2_000
    question = " ".join(
        f"word{chr(97 + i // 676)}{chr(97 + i // 26 % 26)}{chr(97 + i % 26)}" for i in range(words)
    )
    agents = [Samples(f"local/agent{number}", (f"Roll {number}",) * 5) for number in range(50)]

    assert _calls_of(lambda: choose(question, agents)) < 10 * words


def _calls_of(work: Callable[[], object]) -> int:
    """How many calls of functions and steps of generators it takes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls
