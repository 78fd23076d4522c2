import json
from dataclasses import dataclass, field
from typing import Any

import pydantic
import pytest

from fixieai.agents.agent_func import AgentQueryFunc
from fixieai.agents.structured_argument import StructuredArgument, is_structured
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentQuery, Message

_CLAIMS = VerifiedTokenClaims("owner/agent", False, "token")


@dataclass
class Roll:
    sides: int
    count: int = 1
    names: list[str] = field(default_factory=list)


class Node(pydantic.BaseModel):
    name: str
    children: "list[Node]" = []


class Numbers(pydantic.RootModel[list[int]]):
    pass


class NoSchema:
    pass


@dataclass
class Unreadable:
    thing: NoSchema


@pydantic.dataclasses.dataclass
class Checked:
    text: str

    def __post_init__(self) -> None:
        if self.text != "right":
            raise ValueError("write right")


def _roll(argument: Roll) -> str:
    return f"{argument.count}d{argument.sides}"


def _answer(text: str) -> str:
    func = AgentQueryFunc.create(_roll, None, Message, allow_generator=False)
    (response,) = func(AgentQuery(Message(text)), _CLAIMS)
    assert response.error is None
    return response.message.text


def test_the_text_of_the_query_is_read_as_json() -> None:
    assert _answer('{"sides": 20, "count": 2, "unknown": 1}') == "2d20"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("twenty", "Invalid JSON"),
        ("", "sides: Field required"),
        ("  ", "sides: Field required"),
        ("[]", "object"),
        ('{"sides": "many"}', "sides: Input should be a valid integer"),
        ('{"sides": 6, "names": ["a", 5]}', "names.1: Input should be a valid string"),
        ("[" * 100_000, "Invalid JSON"),
        ("\ud800", ""),
        ('{"sides": ' + "9" * 5000 + "}", ""),
    ],
)
async def test_the_model_is_told_what_is_wrong_and_where(text: str, problem: str) -> None:
    answer = _answer(text)

    assert problem in answer
    assert "Expected a JSON object with the fields sides, count (optional), names (optional)." in answer
    assert "Traceback" not in answer
    assert len(answer) < 500
    func = AgentQueryFunc.create(_roll, None, Message, allow_generator=False)
    assert [each.message.text async for each in func.responses(AgentQuery(Message(text)), _CLAIMS)] == [
        answer
    ]


def test_what_a_check_of_the_author_says_reaches_the_model() -> None:
    def func(argument: Checked) -> str:
        return argument.text

    created = AgentQueryFunc.create(func, None, Message, allow_generator=False)

    (response,) = created(AgentQuery(Message('{"text": "wrong"}')), _CLAIMS)
    assert "write right" in response.message.text


def test_the_schema_is_an_object() -> None:
    schema = StructuredArgument.of(Roll).schema

    assert schema["type"] == "object"
    assert schema["required"] == ["sides"]
    assert json.loads(json.dumps(schema)) == schema


def test_the_schema_of_a_type_that_contains_itself_is_an_object_too() -> None:
    schema = StructuredArgument.of(Node).schema

    assert schema["type"] == "object"
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert "Node" in schema["$defs"]


@pytest.mark.parametrize("kind", [Numbers, Unreadable])
def test_what_is_no_json_object_is_refused_at_registration(kind: type) -> None:
    def func(argument: Any) -> str:
        return ""

    func.__annotations__["argument"] = kind
    with pytest.raises(TypeError, match=kind.__name__):
        AgentQueryFunc.create(func, None, Message, allow_generator=False)


@pytest.mark.parametrize(("kind", "expected"), [(Roll, True), (Node, True), (Embed, False), (int, False)])
def test_which_annotations_are_read_as_json(kind: type, expected: bool) -> None:
    assert is_structured(kind) is expected
    assert not is_structured(kind | None)


def test_a_func_without_structure_has_no_schema() -> None:
    def func(query: str) -> str:
        """Does things."""
        return query

    created = AgentQueryFunc.create(func, None, Message, allow_generator=False)

    assert created.schema is None
    assert created.description == "Does things."
    assert AgentQueryFunc.create(_roll, None, Message, allow_generator=False).description == ""
