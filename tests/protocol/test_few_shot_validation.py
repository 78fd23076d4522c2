import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fixieai.protocol import few_shots
from fixieai.protocol.few_shot_validation import (
    FewShotError,
    FewshotLinePattern,
    validate_base_prompt,
    validate_few_shot,
)

_FUNCS = ("roll", "fixie_utc_datetime", "Größe")
_BODY = st.text("aZé .,:[]!?", max_size=12).map(str.strip)
_FREE = st.sampled_from(
    ["Thought: hm", "Self Ask: is it so?", "Ask Agent[a/b]: x", "more", "", "Ask Func[a-b]: x"]
)


def _is_func(name: str) -> bool:
    return name in {"roll", "Größe"} or name.startswith("fixie_")


@st.composite
def _pairs(draw: st.DrawFn) -> list[str]:
    if draw(st.booleans()):
        name = draw(st.sampled_from(_FUNCS))
        ask, says = f"Ask Func[{name}]: {draw(_BODY)}", f"Func[{name}] says: {draw(_BODY)}"
    else:
        name = draw(st.text("ab_1", min_size=1, max_size=5))
        ask, says = f"Ask Agent[{name}]: {draw(_BODY)}", f"Agent[{name}] says: {draw(_BODY)}"
    return [ask, *draw(st.lists(_FREE, max_size=1)), says]


@st.composite
def _turns(draw: st.DrawFn) -> list[str]:
    steps = draw(st.lists(_pairs() | _FREE.map(lambda line: [line]), max_size=4))
    body = [line for step in steps for line in step]
    return [f"Q: a{draw(_BODY)}".strip(), *body, f"A: {draw(_BODY)}."]


def _stripped(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines]


_SHOTS = _turns().map(_stripped)
_CONVERSATIONS = st.lists(_SHOTS, min_size=2, max_size=3).map(
    lambda turns: [line for turn in turns for line in turn]
)


def _problem(lines: list[str], *, conversational: bool = False) -> FewShotError:
    with pytest.raises(FewShotError) as caught:
        validate_few_shot("\n".join(lines), conversational, _is_func)
    return caught.value


def _valid(text: str, *, conversational: bool = False) -> None:
    validate_few_shot(text, conversational, _is_func)


@given(_SHOTS)
def test_a_shot_of_the_grammar_is_valid_in_both_modes(lines: list[str]) -> None:
    _valid("\n".join(lines))
    _valid("\n".join(lines), conversational=True)


@given(_CONVERSATIONS)
def test_several_turns_are_valid_in_a_conversation_only(lines: list[str]) -> None:
    _valid("\n".join(lines), conversational=True)

    problem = _problem(lines)
    assert lines[problem.line - 1].startswith("Q:")
    assert problem.line > 1


@given(_SHOTS)
def test_a_shot_without_its_answer_is_rejected_at_its_last_patterned_line(lines: list[str]) -> None:
    problem = _problem([*lines[:-1], "no answer"])

    assert 1 <= problem.line < len(lines)
    assert "to end with `A:`" in problem.problem


@given(_SHOTS, st.data())
def test_an_answer_without_its_reply_is_rejected_where_the_reply_was_expected(
    lines: list[str], data: st.DataObject
) -> None:
    replies = [number for number, line in enumerate(lines) if line.startswith(("Func[", "Agent["))]
    assume(replies)
    del lines[data.draw(st.sampled_from(replies))]

    problem = _problem(lines)

    assert "says:` after line" in problem.problem
    assert 1 < problem.line <= len(lines)


@given(_SHOTS, st.data())
def test_blanks_at_the_ends_of_a_line_are_rejected_there(lines: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(lines) - 1))
    blank = data.draw(st.sampled_from([" ", "\t", "\r"]))
    lines[number] = data.draw(st.sampled_from([blank + lines[number], lines[number] + blank]))

    assert _problem(lines).line == number + 1


@given(_SHOTS, st.integers(0, 20))
def test_an_unknown_func_is_rejected_at_its_line(lines: list[str], position: int) -> None:
    number = 1 + position % (len(lines) - 1)
    lines.insert(number, "Func[unknown] says: 1")

    problem = _problem(lines)

    assert problem.line == number + 1
    assert "'unknown'" in str(problem)


@given(_SHOTS)
def test_whatever_is_valid_parses_into_turns(lines: list[str]) -> None:
    parsed = few_shots.parse("\n".join(lines))

    assert (parsed[0].kind, parsed[-1].kind) == ("query", "response")


@pytest.mark.parametrize(
    ("shot", "line", "expected"),
    [
        ("", 1, "begin with `Q:`"),
        ("A: x", 1, "begin with `Q:`"),
        ("Hello\nQ: x\nA: y", 1, "begin with `Q:`"),
        ("\nQ: x\nA: y", 1, "begin with `Q:`"),
        ("Q:\nA: y", 1, "a query after `Q:`"),
        ("Q: x", 1, "end with `A:`"),
        ("Q: x\nA: y\n", 3, "no empty line at the end"),
        ("Q: x\nQ: y\nA: z", 2, "`A:` before the next `Q:`"),
        ("Q: x\nA: y\nA: z", 3, "nothing after `A:`"),
        ("Q: x\nA: y\nQ: z\nA: y", 3, "conversational=True"),
        ("Q: x\nAsk Func[roll]: 1\nFunc[Größe] says: 2\nA: y", 3, "`Func[roll] says:` after line 2"),
        ("Q: x\nAsk Agent[a]: 1\nAgent[b] says: 2\nA: y", 3, "`Agent[a] says:` after line 2"),
        ("Q: x\nAsk Func[roll]: 1", 2, "`Func[roll] says:` after line 2"),
        ("Q: x\nAsk Func[nope]: 1\nFunc[nope] says: 2\nA: y", 2, "registered func"),
    ],
)
def test_every_error_says_the_line_and_what_was_expected(shot: str, line: int, expected: str) -> None:
    problem = _problem(shot.split("\n"))

    assert problem.line == line
    assert expected in str(problem)
    assert str(problem).startswith(f"line {line} (")


@pytest.mark.parametrize(
    "shot",
    [
        "Q: x\nFunc[roll] says: nobody asked\nA: y",
        "Q: x\nAgent[calc] says: nobody asked\nA: y",
        "Q: x\nAsk Agent[owner/handle]: unchecked\nA: y",
        "Q: x\nAsk Func[a-b]: unchecked\nA: y",
        "Q: x\nThought: free\nSelf Ask: free\n\nA: y\nmore of it",
        "Q: x\nAsk Func[roll]: {\n}\nFunc[roll] says: 1\nA: y",
    ],
)
def test_what_is_allowed(shot: str) -> None:
    _valid(shot)


@pytest.mark.parametrize(
    ("shot", "line"),
    [
        ("Q: x #a\nA: see #a", None),
        ("Q: x\nThought: take #a\nA: see #a", None),
        ("Q: x\nFunc[roll] says: #a\nA: see #a", None),
        ("Q: x\nAgent[b] says: look\nat #a\nA: see #a", None),
        ("Q: x\nA: ##a is literal, C## too, # a as well", None),
        ("Q: ##a\nA: see #a", 2),
        ("Q: x\nA: see #a", 2),
        ("Q: x\nA: see\n###a", 3),
        ("Q: x\nA: http://e/x#frag", 2),
        ("Q: x\nAsk Func[roll]: #a\nFunc[roll] says: #a\nA: y", 2),
        ("Q: x\nAsk Agent[b]: #a\nAgent[b] says: #a\nA: y", 2),
        ("Q: x\nAsk Agent[b]: go\nThought: #a\nAgent[b] says: #a\nA: y", 3),
        ("Q: x #a\nA: #b, #a", 2),
    ],
)
def test_an_embed_appears_first_in_what_comes_from_outside(shot: str, line: int | None) -> None:
    if line is None:
        _valid(shot)
    else:
        problem = _problem(shot.split("\n"))
        assert problem.line == line
        assert "to appear first" in str(problem)


def test_long_lines_are_shortened_in_messages() -> None:
    assert len(str(_problem(["A" * 10_000]))) < 200


@pytest.mark.parametrize(
    ("line", "kind", "name"),
    [
        ("Q: x", FewshotLinePattern.QUERY, {}),
        ("A:", FewshotLinePattern.RESPONSE, {}),
        ("Agent[a_1] says: x", FewshotLinePattern.AGENT_SAYS, {"agent_id": "a_1"}),
        ("Func[é] says:", FewshotLinePattern.FUNC_SAYS, {"func_name": "é"}),
        ("Ask Agent[a]: x", FewshotLinePattern.ASK_AGENT, {"agent_id": "a"}),
        ("Ask Func[f]:x", FewshotLinePattern.ASK_FUNC, {"func_name": "f"}),
    ],
)
def test_a_pattern_matches_and_names(line: str, kind: FewshotLinePattern, name: dict[str, str]) -> None:
    match = FewshotLinePattern.match(line)

    assert match is not None
    assert FewshotLinePattern(match.re) is kind
    assert match.groupdict() == name


@pytest.mark.parametrize(
    "line", ["", "Thought: x", "Ask Agent[a/b]: x", "Ask Func[a-b]: x", "Func[f]: x", "q: x"]
)
def test_other_lines_match_no_pattern(line: str) -> None:
    assert FewshotLinePattern.match(line) is None
    assert FewshotLinePattern.NO_PATTERN.value is None


@pytest.mark.parametrize("line", ["Q: x\nA: y", "Q:", "Q: "])
def test_several_lines_and_a_bare_query_are_no_line(line: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        FewshotLinePattern.match(line)


@pytest.mark.parametrize(
    ("prompt", "line"), [("\nx", 1), ("x\n", 2), (" x", 1), ("a\nb\t", 2), ("a\r\nb", 1), ("\n", 2)]
)
def test_a_base_prompt_has_no_outer_blanks(prompt: str, line: int) -> None:
    with pytest.raises(FewShotError) as caught:
        validate_base_prompt(prompt)
    assert caught.value.line == line


@pytest.mark.parametrize("prompt", ["", "I roll dice.", "a\n\nb", "Q: even this"])
def test_a_base_prompt_is_otherwise_free(prompt: str) -> None:
    validate_base_prompt(prompt)
