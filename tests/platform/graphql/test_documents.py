"""Documents that were seen are remembered, within bounds."""

import pytest

from fixieai.platform.graphql import documents, schema
from fixieai.platform.graphql.documents import Documents, Refused


@pytest.fixture
def known() -> Documents:
    return Documents(schema.executable())


def test_a_text_is_parsed_once_and_another_is_another(known: Documents) -> None:
    first = known.read("{ user { username } }", {})

    assert known.read("{ user { username } }", {}) is first
    assert known.read("{ user { email } }", {}) is not first


def test_what_was_used_longest_ago_makes_room(known: Documents, monkeypatch) -> None:
    monkeypatch.setattr(documents, "_REMEMBERED_CHARACTERS", 100)
    texts = ["{ user { username } } # " + "x" * number for number in range(3)]
    first, second, _ = (known.read(text, {}) for text in texts)
    assert known.read(texts[0], {}) is first
    known.read("{ user { username } } # another one", {})

    assert known.read(texts[0], {}) is first
    assert known.read(texts[1], {}) is not second


def test_large_texts_and_refused_ones_are_not_remembered(known: Documents) -> None:
    large = "{ user { username } } #" + "x" * 10_000

    assert known.read(large, {}) is not known.read(large, {})
    for _ in range(2):
        with pytest.raises(Refused, match="password"):
            known.read("{ user { password } }", {})


_LARGE = "{ nodes { messages { inReplyTo { text } } } }"


_BELOW_ZERO = 'agentById(agentId: "x") { revisions(first: -999999) { nodes { id } } }'
_TWO = "query A($n: Int! = 1) { ...F } query B($n: Int! = 500) { ...F }"
_OF_SESSIONS = f"{{ sessions(first: $n) {_LARGE} }}"


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        # It fails when it is asked for, in a part of the answer that may be null.
        (f"{{ sessions(first: 500) {_LARGE} {_BELOW_ZERO} }}", {}),
        # GraphQL takes it for the whole number.
        (f"query ($n: Int! = 1) {_OF_SESSIONS}", {"n": 500.0}),
        # Which of the two is executed, is said elsewhere.
        (f"{_TWO} fragment F on Query {_OF_SESSIONS}", {}),
    ],
    ids=["below zero", "a float", "defaults of another operation"],
)
def test_no_spelling_of_a_length_hides_what_it_costs(
    known: Documents, text: str, variables: dict[str, object]
) -> None:
    with pytest.raises(Refused, match="values"):
        known.read(text, variables)
