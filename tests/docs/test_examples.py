"""Every Python block of the README and the documentation runs, and what it asserts is true."""

import pathlib
import sys
from typing import Any

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from fixieai import testing

ROOT = pathlib.Path(__file__).parents[2]
README, DOCS = ROOT / "README.md", ROOT / "docs"
# As when a program is imported: what stands under `if __name__ == "__main__"` would serve for ever.
IMPORTED = {"__name__": "example"}


@pytest.fixture(autouse=True)
def _own_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-examples puts each block in place of the running program."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def blocks(*places: pathlib.Path) -> list[CodeExample]:
    # .py files in docs/ are no examples.
    files = [
        file for place in places for file in ([place] if place.is_file() else sorted(place.glob("*.md")))
    ]
    return [block for block in find_examples(*files) if block.prefix in ("py", "python")]


def run(example: CodeExample, eval_example: EvalExample) -> dict[str, Any]:
    """Its global names."""
    try:
        return eval_example.run(example, module_globals=IMPORTED)
    except Exception as error:  # noqa: BLE001 - its traceback was made up, and pytest cannot print it
        failure = repr(error)
    pytest.fail(f"{example}: {failure}", pytrace=False)


@pytest.mark.parametrize("example", blocks(README, DOCS), ids=str)
def test_the_block_runs(example: CodeExample, eval_example: EvalExample) -> None:
    run(example, eval_example)


def test_the_agent_of_the_readme_answers_what_the_readme_asks(eval_example: EvalExample) -> None:
    (example,) = blocks(README)
    agent = run(example, eval_example)["agent"]

    answer = testing.ask(agent, "Roll 2d20")

    assert answer.steps[0].text == "Ask Func[roll]: 20 2"
    first, second = answer.said("roll").split()
    assert answer.text == f"You rolled {first} and {second}, for a total of {int(first) + int(second)}."
