"""Bytes of a response to an answer: the same for every way of cutting them, an error for everything else."""

import contextlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai.llm.answers import Answer, Decoder
from fixieai.llm.failures import TransientFailure
from fixieai.protocol.prompts import Completion

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "message", "content", "text", "tool_calls", "function", "name", "arguments",
             "finish_reason", "usage", "error", "index", "id"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def read(content: bytes, cuts: list[int]) -> Completion:
    decoder, answer = Decoder(), Answer("custom/x")
    edges = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    for start, end in itertools.pairwise(edges):
        for event in decoder.feed(content[start:end]):
            if event is not None:
                answer.add(event)
    for event in decoder.finish():
        if event is not None:
            answer.add(event)
    return answer.completion()


def event(**delta: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta}]}, ensure_ascii=False).encode() + b"\n\n"


STREAM = (
    b": warming up\n\n"
    + event(role="assistant", content="You ")
    + event(content="rölled\u2028")
    + event(tool_calls=[{"index": 0, "id": "a", "function": {"name": "roll", "arguments": ""}}])
    + event(tool_calls=[{"index": 0, "function": {"arguments": '{"x"'}}])
    + event(tool_calls=[{"index": 1, "id": "b", "function": {"name": "other", "arguments": "{}"}}])
    + event(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}])
    + b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}\r\n\r\n'
    + b"data: [DONE]\n\n"
)


@given(cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_a_stream_reads_the_same_for_every_way_of_cutting_it(cuts: list[int]) -> None:
    completion = read(STREAM, cuts)
    assert completion.text == "You rölled\u2028"
    assert completion.tool_call is not None
    assert completion.tool_call.name == "roll"
    assert completion.tool_call.arguments == '{"x": 1}'
    assert (completion.prompt_tokens, completion.completion_tokens) == (5, 3)


@given(value=_JSON, is_stream=st.booleans())
def test_any_json_is_an_answer_or_a_failure_that_can_be_tried_again(value: Any, is_stream: bool) -> None:
    content = json.dumps(value).encode()
    with contextlib.suppress(TransientFailure):
        read(b"data: " + content + b"\n\n" if is_stream else content, [])


@given(content=st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_a_failure(content: bytes) -> None:
    with pytest.raises(TransientFailure):
        read(content, [])


def test_calls_that_all_have_the_same_number_are_told_apart_by_their_id() -> None:
    first = event(tool_calls=[{"index": 0, "id": "a", "function": {"name": "roll", "arguments": "{}"}}])
    second = event(tool_calls=[{"index": 0, "id": "b", "function": {"name": "roll", "arguments": "[]"}}])
    completion = read(first + second + b"data: [DONE]\n\n", [])
    assert completion.tool_call is not None
    assert completion.tool_call.arguments == "{}"


def test_arguments_that_are_an_object_become_text() -> None:
    call = event(tool_calls=[{"function": {"name": "roll", "arguments": {"x": 1}}}])
    completion = read(call + b"data: [DONE]\n\n", [])
    assert completion.tool_call is not None
    assert completion.tool_call.arguments == '{"x": 1}'


def test_what_comes_after_the_end_is_not_read() -> None:
    assert read(event(content="A") + b"data: [DONE]\n\ndata: {broken\n\n", []).text == "A"
