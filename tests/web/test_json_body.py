import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai import errors
from fixieai.web import json_body

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STORABLE,
    lambda inner: st.lists(inner) | st.dictionaries(STORABLE, inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_json_that_every_store_can_hold_comes_through_as_it_is(value: object, is_ascii: bool) -> None:
    assert json_body.parse_json(json.dumps(value, ensure_ascii=is_ascii).encode("utf-8")) == value


@given(st.text(), st.booleans())
def test_a_text_comes_through_or_is_refused_but_never_comes_through_unstorable(
    text: str, in_key: bool
) -> None:
    body = json.dumps({text: 1} if in_key else [text]).encode("ascii")
    is_storable = "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
    if is_storable:
        json_body.parse_json(body)
    else:
        with pytest.raises(errors.UnprocessableContent, match="at character"):
            json_body.parse_json(body)


@given(st.binary())
def test_any_bytes_are_json_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(errors.UnprocessableContent):
        json_body.parse_json(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"{", r"not JSON.*char 1"),
        (b"{} {}", r"not JSON.*char 3"),
        (b'{"a": NaN}', "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "1e999"),
        (b"[" + b"9" * 5000 + b"]", "thousands of digits"),
        (b"[" * 100_000, "deeper than 64 levels, at character 64"),
        (b"[" * 100_000 + b"]" * 100_000, "deeper than 64 levels, at character 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64 levels, at character 320"),
        (b'["[[", ' + b"[" * 64 + b"]" * 65, "deeper than 64 levels, at character 70"),
        (b'"\xff"', "not UTF-8, from byte 1"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\0"', "not JSON"),
        (b'{"a": "x\\u0000"}', r"NUL character \(\\u0000\), at character 8"),
        (b'"\\ud83d"', "half a surrogate pair"),
        (b'"\\ude00\\ud83d"', "half a surrogate pair"),
        (b'{"a": 1, "b": {"x": 1, "y": 2, "x": 3}}', "'x' comes more than once"),
        (b'{"a": 1, "\\u0061": 2}', "'a' comes more than once"),
    ],
)
def test_a_refusal_says_what_and_where(body: bytes, says: str) -> None:
    with pytest.raises(errors.UnprocessableContent, match=says):
        json_body.parse_json(body)


@pytest.mark.parametrize(
    "body", [b'"\\ud83d\\ude00"', b'"\\\\u0000"', b'"\\\\ud800"', b"[" * 64 + b"]" * 64, b"1" * 4000]
)
def test_what_only_looks_suspicious_comes_through(body: bytes) -> None:
    assert json_body.parse_json(body) == json.loads(body)


def test_a_wide_body_is_not_taken_for_a_deep_one() -> None:
    assert json_body.parse_json(b"[" + b",".join([b"[[]]"] * 1000) + b"]") == [[[]]] * 1000


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json;charset="utf-8"', True),
        ("", False),
        ("text/plain", False),
        ("application/json; charset=utf-16", False),
        ("application/jsonp", False),
        ("application/x-www-form-urlencoded", False),
    ],
)
def test_only_json_in_utf8_is_json(content_type: str, is_json: bool) -> None:
    assert json_body.is_json(content_type) is is_json
