from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai.agents import code_shot, utils
from fixieai.agents.code_shot import CodeShotAgent
from fixieai.protocol.corpora import CorpusResponse, CustomCorpus, UrlDocumentCorpus
from fixieai.protocol.few_shot_validation import FewshotLinePattern
from fixieai.protocol.metadata import CodeShotAgentMetadata
from fixieai.protocol.prompts import LlmSettings

_FEW_SHOTS = """
    Q: Roll a d20
    Ask Func[roll]: 20 1
    Func[roll] says: 12
    A: You rolled a 12!

    Q: Roll 3d8
    Ask Func[roll]: 8 3
    Func[roll] says: 5 3 8
    A: You rolled 5, 3, and 8.
"""
_BODY = st.text("aé #:", max_size=10)
_SHOTS = st.lists(st.sampled_from(["Thought: x", "", "A: y", "Func[f] says: z"]) | _BODY, max_size=5).map(
    lambda lines: utils.stripped("\n".join(["Q: x", *lines, "A: end"]))
)


def _no_documents() -> CorpusResponse:
    return CorpusResponse()


def _dice(few_shots: str | list[str] = _FEW_SHOTS, *, conversational: bool = False) -> CodeShotAgent:
    agent = CodeShotAgent("I roll dice.", few_shots, conversational=conversational)
    agent.register_func(lambda query: "1", func_name="roll")
    return agent


@pytest.mark.parametrize(
    ("text", "shots"),
    [
        ("", []),
        (" \n\t\n ", []),
        ("Q: a\nA: b", ["Q: a\nA: b"]),
        ("\n\n  Q: a  \n\tA: b\t\n\n", ["Q: a\nA: b"]),
        ("Q: a\nA: b\n\nQ: c\nA: d", ["Q: a\nA: b", "Q: c\nA: d"]),
        ("Q: a\nA: b\n \n\n\n Q: c\nA: d", ["Q: a\nA: b", "Q: c\nA: d"]),
        ("Q: a\nA: b\nQ: c\nA: d", ["Q: a\nA: b\nQ: c\nA: d"]),
        ("Q: a\n\nA: b\n\nmore", ["Q: a\n\nA: b\n\nmore"]),
        ("Q: a\r\nA: b\r\n\r\nQ: c\r\nA: d\r\n", ["Q: a\nA: b", "Q: c\nA: d"]),
        ("Hello\n\nQ: a\nA: b", ["Hello", "Q: a\nA: b"]),
    ],
)
def test_a_string_is_split_before_each_query_that_follows_an_empty_line(text: str, shots: list[str]) -> None:
    assert code_shot._split_few_shots(text) == shots
    assert CodeShotAgent("b", text).few_shots == shots


@given(st.lists(_SHOTS, max_size=4), st.data())
def test_shots_with_empty_lines_between_them_come_back(shots: list[str], data: st.DataObject) -> None:
    gaps = [data.draw(st.sampled_from(["\n\n", "\n \t\n", "\n\n\n"])) for _ in shots]

    assert (
        code_shot._split_few_shots("".join(shot + gap for shot, gap in zip(shots, gaps, strict=True)))
        == shots
    )


def test_prompts_and_shots_are_stripped_line_by_line_and_the_list_of_the_caller_stays() -> None:
    shots = [" Q: a \n  A: b\n"]

    agent = CodeShotAgent("\n  I am\n   here.  \n", shots)

    assert agent.base_prompt == "I am\nhere."
    assert agent.few_shots == ["Q: a\nA: b"]
    assert shots == [" Q: a \n  A: b\n"]


def test_a_valid_agent_validates() -> None:
    _dice().validate()
    _dice([]).validate()
    _dice("").validate()
    _dice("Q: a\nA: b\nQ: c\nA: d", conversational=True).validate()


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        (["Q: a\nA: b", "Q: a\nAsk Func[nope]: 1\nFunc[nope] says: 1\nA: b"], "few-shot 2, line 2 .*'nope'"),
        (["Q: a\nA: b\nQ: c\nA: d"], "few-shot 1, line 3 .*conversational=True"),
        ([""], "few-shot 1, line 1 .*begin with `Q:`"),
        (["Q: a\nA: see #chart"], "few-shot 1, line 2 .*#chart"),
    ],
)
def test_an_invalid_agent_says_which_shot_and_line(shots: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _dice(shots).validate()


def test_a_base_prompt_that_was_changed_later_is_checked() -> None:
    agent = _dice()
    agent.base_prompt = "I roll\ndice. "

    with pytest.raises(ValueError, match="the base prompt, line 2"):
        agent.validate()
    utils.strip_prompt_lines(agent)
    agent.validate()


def test_one_prompt_can_be_checked_alone() -> None:
    utils._validate_few_shot_prompt("Q: a\nA: b", False, lambda name: False)
    with pytest.raises(ValueError, match="line 2"):
        utils._validate_few_shot_prompt("Q: a\nFunc[x] says: b\nA: c", False, lambda name: False)


def test_the_line_pattern_is_at_its_documented_places() -> None:
    assert code_shot.FewshotLinePattern is utils.FewshotLinePattern is FewshotLinePattern


def test_corpora_are_the_urls_and_one_for_each_corpus_func() -> None:
    pages = UrlDocumentCorpus(["https://e/*"])
    agent = CodeShotAgent("b", [], corpora=[pages])
    agent.register_corpus_func(_no_documents, func_name="docs")

    assert agent.url_corpora == [pages]
    assert agent.corpora == [pages, CustomCorpus("docs")]
    assert CodeShotAgent("b", []).corpora is None


def test_the_handshake_of_a_plain_agent_is_the_documented_one() -> None:
    agent = CodeShotAgent("b", ["Q: a\nA: b"], conversational=True, llm_settings=LlmSettings("openai/x"))
    agent.register_func(lambda query: "x", func_name="plain")

    metadata = agent.metadata()

    assert metadata == CodeShotAgentMetadata("b", ["Q: a\nA: b"], None, True, LlmSettings("openai/x"))
    assert list(metadata.to_dict()) == [
        "base_prompt",
        "few_shots",
        "corpora",
        "conversational",
        "response_model",
        "type",
    ]


@dataclass
class _Search:
    text: str
    limit: int = 10


def test_the_handshake_names_the_funcs_that_take_json() -> None:
    agent = CodeShotAgent("b", [])
    agent.register_func(lambda query: "x", func_name="plain")

    @agent.register_func(func_name="search")
    def anything(query: _Search) -> str:
        """Finds things."""
        return query.text

    (name,) = agent.metadata().to_dict()["funcs"]
    said = agent.metadata().to_dict()["funcs"][name]
    assert (name, said["description"]) == ("search", "Finds things.")
    assert said["parameters"]["required"] == ["text"]
    assert said["parameters"]["type"] == "object"
