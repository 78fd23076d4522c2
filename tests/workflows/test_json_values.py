"""What is stored comes back as what it was, or is refused with the place of what is not JSON."""

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai.workflows import json_values
from fixieai.workflows.failures import NotJson

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Colour(enum.StrEnum):
    RED = "red"


@given(JSON)
def test_json_comes_back_as_it_was_and_is_ascii_on_the_way(value: Any) -> None:
    text = json_values.encode(json_values.checked(value, "a value"))
    assert text.isascii()
    assert "\0" not in text
    assert repr(json_values.decode(text)) == repr(value)


def test_half_of_a_surrogate_pair_comes_back() -> None:
    assert json_values.decode(json_values.encode("a\ud800\0")) == "a\ud800\0"


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ((1, 2), "a builtins.tuple"),
        ([{"when": {1}}], r"at \[0\].when: a builtins.set"),
        ({"a": [1, float("nan")]}, r"at .a\[1\]: nan is not a number"),
        (float("inf"), "inf is not a number"),
        ({1: 2}, "the key 1 is not a string"),
        (b"bytes", "a builtins.bytes"),
        (Colour.RED, "Colour"),
        pytest.param(1 << 20_000, "an integer of thousands of digits", id="digits"),
        (object, "a builtins.type"),
    ],
)
def test_what_would_come_back_as_something_else_is_refused(value: Any, finding: str) -> None:
    with pytest.raises(NotJson, match=f"the result is not JSON: .*{finding}"):
        json_values.checked(value, "the result")


def test_what_is_nested_too_deep_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotJson, match="nested more than 100 deep"):
        json_values.checked(value, "the result")
