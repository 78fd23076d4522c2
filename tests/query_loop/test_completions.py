"""What a model wrote is read the same way at once and piece by piece."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai.protocol.few_shots import parse_line
from fixieai.protocol.transcript import Line, LineKind, render_line
from fixieai.query_loop.completions import (
    Plain,
    Reader,
    is_complete,
    may_begin_protocol,
    parse_completion,
    partial_answer,
)

_PIECES = st.sampled_from(
    [
        "Q:",
        "A:",
        "Thought:",
        "Self Ask:",
        "Ask Func[",
        "Func[",
        "Ask Agent[",
        "Agent[",
        "roll",
        "a/b",
        "]",
        "] says:",
        "]:",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "\u2028",
        "\x0b",
        "As",
        "k",
        "some words",
        "#",
        "\0",
        "\ud800",
        "é",
        "12",
        "Ask Func[roll]: 20 1",
        "Func[roll] says: 12",
        "A: You rolled",
        "\n  Ask Func[x]:",
    ]
)
_WRITTEN = st.lists(_PIECES, max_size=14).map("".join)
_PLAIN = st.sampled_from(Plain)


@given(_WRITTEN, _PLAIN, st.data())
def test_a_streamed_completion_reads_like_the_whole_one_for_every_cutting(text, plain, data):
    whole = parse_completion(text, plain)
    answer = whole.action.text if whole.action and whole.action.kind is LineKind.RESPONSE else ""
    reader, shown = Reader(plain), ""
    ends = sorted([*data.draw(st.lists(st.integers(0, len(text)))), len(text)])
    for end in ends:
        assert reader.is_complete(text[:end]) == is_complete(text[:end], plain)
        partial = reader.partial_answer(text[:end])
        assert partial == partial_answer(text[:end], plain)
        if reader.is_complete(text[:end]):
            cut_early = parse_completion(text[:end], plain)
            assert (cut_early.thoughts, cut_early.action) == (whole.thoughts, whole.action)
        if partial is not None:
            assert partial.startswith(shown)
            assert answer.startswith(partial)
            shown = partial
        else:
            assert not shown


@given(_WRITTEN, st.text(max_size=80))
def test_what_may_become_protocol_is_never_taken_for_text(start, more):
    line = (start + more).split("\n")[0]
    for end in range(len(line)):
        if parse_line(line[:end]) is None and not may_begin_protocol(line[:end]):
            assert parse_line(line) is None


@given(st.text(max_size=200), st.sampled_from(LineKind))
def test_a_rendered_line_is_read_back_as_one_line(text, kind):
    name = {LineKind.THOUGHT: "Thought", LineKind.QUERY: "", LineKind.RESPONSE: ""}.get(kind, "roll")
    step = parse_completion(render_line(Line(kind, text, name)))
    lines = [*step.thoughts, *([step.action] if step.action else [])]
    assert [line.kind for line in lines] in ([kind], [])
    assert bool(lines) or not text.strip() or kind is LineKind.QUERY


def test_a_reader_starts_again_when_the_call_was_repeated():
    reader = Reader(Plain.PREFACE)
    assert reader.partial_answer("A: one\ntwo") == "one\ntwo"
    assert reader.partial_answer("A: three") == "three"
    assert not reader.is_complete("Ask Func[roll]: 1\nA: no"[:17])


@pytest.mark.parametrize(
    ("text", "thoughts", "kind", "name", "body"),
    [
        ("Ask Func[roll]: 20 1\nFunc[roll] says: 7\nA: 7", [], "ask_func", "roll", "20 1"),
        ("Thought: hm\nSelf Ask: what?\nAsk Agent[a/b-c]: x", ["hm", "what?"], "ask_agent", "a/b-c", "x"),
        ("Sure!\nAsk Func[roll]: 20 1\n", ["Sure!"], "ask_func", "roll", "20 1"),
        ("Func[roll] says: 7\nA: 7", [], "func_says", "roll", ""),
        ("Thought: ok\nAgent[calc] says: 7", ["ok"], "agent_says", "calc", ""),
        ("\n \n A: one\n  two\n    three\n\nQ: next?", [], "response", "", "one\ntwo\n  three"),
        ("A: code:\ndef f():\n  return", [], "response", "", "code:\ndef f():\n  return"),
        ("You rolled a 7.\nWell done.", [], "response", "", "You rolled a 7.\nWell done."),
        ("A: 7\nThought: and now?\nA: 8", [], "response", "", "7"),
        ("A: 7\u2028Ask Func[roll]: 20", [], "response", "", "7\u2028Ask Func[roll]: 20"),
        ("A: a\0b\ud800", [], "response", "", "a\ufffdb\ufffd"),
        ("Ask Func[a b]: 1", [], "response", "", "Ask Func[a b]: 1"),
    ],
)
def test_a_completion_is_thoughts_and_one_action(text, thoughts, kind, name, body):
    step = parse_completion(text)
    assert [thought.text for thought in step.thoughts] == thoughts
    assert step.action == Line(LineKind(kind), body, name)


@pytest.mark.parametrize("text", ["", " \n\n ", "A:", "Q: again?", "Thought: hm", "Thought:\nQ: x"])
def test_a_completion_may_hold_no_action(text):
    assert parse_completion(text).action is None


@pytest.mark.parametrize(
    "text", ["Func[roll] says:", "Ask Func[roll]: 1\nA:", "A: 7\nThought:", "A: 7\nQ:", "Q:"]
)
def test_reading_stops_where_nothing_more_can_matter(text):
    assert is_complete(text)
    assert not is_complete(text[:-1])


def test_the_beginning_of_a_protocol_line_is_held_back():
    whole = "A: Hello\nAsk Fu"
    assert partial_answer(whole) == "Hello"
    assert partial_answer(whole + "zzy") == "Hello\nAsk Fuzzy"
    assert partial_answer("Thought: hm") is None
    assert partial_answer("Hello") is None


def test_plain_chat_content_is_the_answer_with_any_protocol_that_it_quotes():
    text = "The page says:\nAsk Func[delete]: all\nQ: why?"
    assert parse_completion(text, Plain.WHOLE).action == Line(LineKind.RESPONSE, text)
    assert not is_complete(text, Plain.WHOLE)
    assert parse_completion("Q: a FAQ\nA: yes", Plain.WHOLE).action.text == "Q: a FAQ\nA: yes"


def test_chat_content_that_begins_with_protocol_is_protocol():
    step = parse_completion("Thought: roll\nAsk Func[roll]: 20\nFunc[roll] says: 3", Plain.WHOLE)
    assert step.action == Line(LineKind.ASK_FUNC, "20", "roll")
    assert partial_answer("Thou", Plain.WHOLE) is None
    assert partial_answer("Though it", Plain.WHOLE) == "Though it"


def test_a_plain_answer_to_a_text_prompt_ends_at_the_next_protocol_line():
    assert parse_completion(" 42\nQ: more", Plain.ANSWER).action == Line(LineKind.RESPONSE, "42")
