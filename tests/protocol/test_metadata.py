import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fixieai import errors
from fixieai.protocol.corpora import CustomCorpus, DocumentLoader, UrlDocumentCorpus
from fixieai.protocol.metadata import (
    CodeShotAgentMetadata,
    StandaloneAgentMetadata,
    parse_metadata,
    sample_queries,
)
from fixieai.protocol.prompts import LlmSettings
from fixieai.protocol.transcript import FuncSpec

_CODE_SHOT: dict[str, Any] = {"base_prompt": "b", "few_shots": ["Q: x\nA: y"], "type": "code_shot"}
_SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
_TEXT = st.text("aé#:'\"\n -", max_size=20)
_NAMES = st.text("ab_1", min_size=1, max_size=8)
_CORPORA = st.builds(
    UrlDocumentCorpus,
    st.lists(_TEXT, max_size=2),
    st.none() | st.lists(_TEXT, max_size=2),
    st.none() | _NAMES,
    st.none() | st.builds(DocumentLoader, _TEXT),
) | st.builds(CustomCorpus, _NAMES)
_SETTINGS = st.builds(
    LlmSettings, st.none() | _TEXT, st.none() | st.floats(0, 2), st.none() | st.integers(1, 10_000)
)
_FUNCS = st.dictionaries(_NAMES, _TEXT, max_size=2).map(
    lambda said: {name: FuncSpec(name, text, _SCHEMA) for name, text in said.items()}
)
_CODE_SHOTS = st.builds(
    CodeShotAgentMetadata,
    _TEXT,
    st.lists(_TEXT, max_size=3),
    st.none() | st.lists(_CORPORA, max_size=3),
    st.booleans(),
    st.none() | _SETTINGS,
    _FUNCS,
)
_STANDALONES = st.builds(StandaloneAgentMetadata, st.none() | st.lists(_TEXT, max_size=3))


@given(_CODE_SHOTS | _STANDALONES)
def test_a_handshake_comes_back_from_yaml_and_json(
    metadata: CodeShotAgentMetadata | StandaloneAgentMetadata,
) -> None:
    content = metadata.to_dict()

    assert parse_metadata(yaml.safe_load(yaml.safe_dump(content))) == metadata
    assert parse_metadata(json.loads(json.dumps(content))) == metadata


def test_the_wire_shape_of_a_code_shot_agent() -> None:
    metadata = CodeShotAgentMetadata(
        "b", ["s"], [UrlDocumentCorpus(["u"]), CustomCorpus("f")], True, LlmSettings("m")
    )

    assert metadata.to_dict() == {
        "base_prompt": "b",
        "few_shots": ["s"],
        "corpora": [
            {"urls": ["u"], "exclude_patterns": None, "auth_token_func": None, "loader": None},
            {"func_name": "f"},
        ],
        "conversational": True,
        "response_model": {"model": "m", "temperature": None, "maximum_tokens": None},
        "type": "code_shot",
    }


def test_the_wire_shape_of_a_standalone_agent() -> None:
    assert StandaloneAgentMetadata().to_dict() == {"sample_queries": None, "type": "standalone"}


def test_funcs_are_mentioned_only_with_a_schema() -> None:
    metadata = CodeShotAgentMetadata("b", [], funcs={"f": FuncSpec("f", "does", _SCHEMA)})

    assert metadata.to_dict()["funcs"] == {"f": {"description": "does", "parameters": _SCHEMA}}


def test_unknown_keys_are_ignored() -> None:
    content = {**_CODE_SHOT, "later": {"x": 1}, "corpora": [{"urls": ["u"], "later": 1}]}

    assert parse_metadata(content) == CodeShotAgentMetadata("b", ["Q: x\nA: y"], [UrlDocumentCorpus(["u"])])


def _bomb() -> Any:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return yaml.safe_load("\n".join(lines))


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


_CIRCLE: list[Any] = []
_CIRCLE.append(_CIRCLE)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"type": None}, "type must be"),
        ({"type": ["code_shot"]}, "type must be"),
        ({"base_prompt": None}, "base_prompt: "),
        ({"few_shots": "Q: x"}, "few_shots: "),
        ({"few_shots": ["Q: x", 5]}, "few_shots.1: "),
        ({"few_shots": ["Q: x"] * 1001}, "few_shots: "),
        ({"base_prompt": "x" * 2_000_001}, "characters"),
        ({"base_prompt": "a\0b"}, "NUL"),
        ({"few_shots": ["\udfff"]}, "surrogate"),
        ({"corpora": [{"x": 1}]}, "corpora.0"),
        ({"corpora": {}}, "corpora: "),
        ({"conversational": "perhaps"}, "conversational: "),
        ({"response_model": {"temperature": 9}}, "temperature must be"),
        ({"response_model": {"temperature": float("nan")}}, "not finite"),
        ({"response_model": {"maximum_tokens": 0}}, "maximum_tokens must be"),
        ({"funcs": []}, "funcs: "),
        ({"funcs": {"f": None}}, "funcs.f: "),
        ({"funcs": {"f": {"parameters": {"type": "array"}}}}, "f: parameters must be"),
        (
            {"funcs": {"f": {"parameters": {"type": "object", "x": {1, 2}}}}},
            "f: parameters must be plain JSON",
        ),
        ({"funcs": {"a b": {"parameters": _SCHEMA}}}, "funcs.a b"),
        ({"funcs": {"f\n": {"parameters": _SCHEMA}}}, "funcs.f"),
        ({"later": _bomb()}, "values"),
        ({"later": _nested(100)}, "levels"),
        ({"later": _CIRCLE}, "levels"),
    ],
)
def test_a_wrong_handshake_is_refused_with_the_place(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(errors.UnprocessableContent, match=where):
        parse_metadata({**_CODE_SHOT, **changes})


@pytest.mark.parametrize("value", [None, 5, "code_shot", [], b"x"])
def test_what_is_no_mapping_is_refused(value: object) -> None:
    with pytest.raises(errors.UnprocessableContent, match="expected a mapping"):
        parse_metadata(value)


def test_a_refusal_of_many_problems_stays_short() -> None:
    with pytest.raises(errors.UnprocessableContent, match="and 995 more") as caught:
        parse_metadata({**_CODE_SHOT, "few_shots": [5] * 1000})
    assert len(caught.value.message) < 1000


def test_sample_queries_are_the_questions_of_the_few_shots() -> None:
    metadata = CodeShotAgentMetadata(
        "b", ["Q: Roll a d20\nA: 4", "Q:tight\nmore\nA: x", "", "no query", "Q: "]
    )

    assert sample_queries(metadata) == ["Roll a d20", "tight"]


def test_a_standalone_agent_names_its_sample_queries() -> None:
    assert sample_queries(StandaloneAgentMetadata(["a", "b"])) == ["a", "b"]
    assert sample_queries(StandaloneAgentMetadata()) == []
