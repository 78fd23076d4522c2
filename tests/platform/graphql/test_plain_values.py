"""What is taken from an object as it stands is what graphql-core would have made of it."""

import pytest
from graphql import build_schema, execute, parse

from fixieai.platform.graphql.plain_values import executor_of

SCHEMA = build_schema("""
    scalar DateTime
    enum Colour { RED }
    type Query { things: [Thing!] one: Thing }
    type Thing {
      id: ID! text: String must: String! at: DateTime size: Int is: Boolean colour: Colour
      greet(name: String): String inner: Thing
    }
""")
FINE = {"id": "1", "text": "x", "must": "y", "at": "2026", "size": 3, "is": True, "colour": "RED"}
QUERY = """{ one { ...all } things { ...all inner { a: text b: text must } } }
    fragment all on Thing { __typename id text must at size is colour greet(name: "z") }"""


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"text": None, "at": None},
        {"must": None},
        {"id": None},
        {"id": 7},
        {"text": 1.5},
        {"text": ["x"]},
        {"must": {"x": 1}},
        {"text": ValueError("no")},
        {"colour": "BLUE"},
        {"size": "many"},
        {"inner": {"must": None}},
        {"inner": FINE},
    ],
    ids=str,
)
def test_values_and_errors_are_the_same(odd: dict[str, object]) -> None:
    root = {"one": FINE | odd, "things": [FINE, FINE | odd]}

    def get(source, info, **_: object) -> object:
        return source.get(info.field_name)

    usual = execute(SCHEMA, parse(QUERY), root_value=root, field_resolver=get)
    ours = execute(
        SCHEMA, parse(QUERY), root_value=root, field_resolver=get, executor_class=executor_of(SCHEMA)
    )

    assert ours.data == usual.data
    assert [str(error) for error in ours.errors or ()] == [str(error) for error in usual.errors or ()]


def test_a_resolver_is_asked_where_there_is_one() -> None:
    schema = build_schema("type Query { text: String }")
    schema.query_type.fields["text"].resolve = lambda *_: "resolved"

    found = execute(
        schema, parse("{ text }"), root_value={"text": "plain"}, executor_class=executor_of(schema)
    )

    assert found.data == {"text": "resolved"}
