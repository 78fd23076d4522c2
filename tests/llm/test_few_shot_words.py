"""Which words of its examples the few-shot model puts into a line, and which it changes."""

import pytest
from example_agents import AGENTS, converse, echo_agent, read_agent, say

from fixieai.llm.by_example.words import STOP_WORDS
from fixieai.protocol.transcript import Line, LineKind

_ANY_WORDS = sorted(STOP_WORDS | {"goodbye", "zebra", "hello there", "to be or not to be"})


@pytest.mark.parametrize("word", _ANY_WORDS)
def test_any_word_may_be_what_a_func_is_asked(word: str) -> None:
    plain = echo_agent(word, word, word)
    framed = echo_agent(word, word, f"It said: {word}.")
    upper = echo_agent(word, word.upper(), f"They say {word.upper()}.")
    for asked in ("Fred", "goodbye"):
        question = f"Say {asked}"
        assert converse(plain, question, asked) == [asked, asked]
        assert converse(framed, question, asked) == [asked, f"It said: {asked}."]
        assert converse(upper, question, "QUITE ELSE") == [asked, "They say QUITE ELSE."]


@pytest.mark.parametrize("word", _ANY_WORDS)
def test_any_word_may_stand_for_what_a_func_is_asked(word: str) -> None:
    for example in ("goodbye", "hello"):
        shots = echo_agent(example, example.upper(), f"They say {example.upper()}.")
        assert converse(shots, f"Say {word}", "QUITE ELSE") == [word, "They say QUITE ELSE."]


@pytest.mark.parametrize("word", ["hello", "tell", "zebra"])
def test_a_question_of_one_word_is_an_example_of_itself_alone(word: str) -> None:
    shots = read_agent(f"Q: {word}\nAsk Func[echo]: {word}\nFunc[echo] says: {word}\nA: It said: {word}")
    assert converse(shots, word, "HEY") == [word, "It said: HEY"]
    assert converse(shots, f"{word.capitalize()}!", "HEY")[-1] == "It said: HEY"
    assert "offline few-shot model" in converse(shots, "Fred")[0]


@pytest.mark.parametrize(
    ("lines", "question", "replies", "said"),
    [
        (
            "Q: Say hello to Bob\nAsk Func[g]: Bob|hello\nFunc[g] says: ok\nA: I said hello to Bob.",
            "Say goodbye to Alice",
            ["ok"],
            ["Alice|goodbye", "I said goodbye to Alice."],
        ),
        (
            'Q: Send hello to Bob\nAsk Func[g]: {"to": "Bob", "text": "hello"}\nFunc[g] says: ok\nA: Sent.',
            "Send goodbye to Alice",
            ["ok"],
            ['{"to": "Alice", "text": "goodbye"}', "Sent."],
        ),
        (
            "Q: Switch it on\nAsk Func[g]: on\nFunc[g] says: it is on\nA: The light: it is on.",
            "Switch it off",
            ["it is off"],
            ["off", "The light: it is off."],
        ),
        (
            "Q: Tell tell\nAsk Func[g]: tell\nFunc[g] says: TELL\nA: It told me: TELL",
            "Tell Fred",
            ["HEY"],
            ["Fred", "It told me: HEY"],
        ),
        ("Q: Say hello\nA: hello", "Say Fred", [], ["Fred"]),
        ("Q: Say hello to Bob\nA: Hello, Bob!", "Say goodbye to Alice", [], ["Goodbye, Alice!"]),
        ("Q: Can you help me?\nA: I can, of course.", "Could you help me?", [], ["I can, of course."]),
    ],
)
def test_a_stop_word_that_a_line_repeats_differs_with_the_question(
    lines: str, question: str, replies: list[str], said: list[str]
) -> None:
    assert converse(read_agent(lines), question, *replies) == said


def test_a_word_that_stays_in_the_answer_is_said_of_no_other_question() -> None:
    shots = read_agent(
        "Q: Say hello to Bob\nAsk Func[g]: Bob\nFunc[g] says: ok\nA: Bob, I have just said hello."
    )
    assert converse(shots, "Say hello to Alice", "ok") == ["Alice", "Alice, I have just said hello."]
    assert "offline few-shot model" in converse(shots, "Say goodbye to Alice")[0]


@pytest.mark.parametrize(
    "reply",
    [
        "<img src=x onerror=alert(1)>",
        '<img src=x onerror="alert(document.cookie)">',
        "f(x)[0] = {...}; // *!*",
        "HELLO",
        "hello hello",
    ],
)
@pytest.mark.parametrize("word", ["hello", "goodbye"])
def test_markup_in_a_reply_is_framed_like_any_reply(word: str, reply: str) -> None:
    shots = echo_agent(word, word, f"It said: {word}")
    assert converse(shots, "Say Fred", reply) == ["Fred", f"It said: {reply}"]
    assert converse(shots, f"Say {reply}", reply)[-1] == f"It said: {reply}"


def test_a_long_question_may_have_a_long_reply() -> None:
    shots = echo_agent("hello", "hello", "It said: hello")
    long = "the quick brown fox jumps over the lazy dog and then it sleeps for a very long time"
    assert converse(shots, f"Say {long}", long) == [long, f"It said: {long}"]
    assert converse(shots, "Say Fred", long) == ["Fred", long]


def test_scripts_without_spaces_are_imitated_too() -> None:
    shots = read_agent("""
Q: 北京的天气怎么样?
Ask Func[weather]: 北京
Func[weather] says: 晴
A: 北京今天晴。
""")
    assert converse(shots, "上海的天气怎么样?", "雨") == ["上海", "上海今天雨。"]


def test_an_embed_stands_for_an_embed() -> None:
    shots = read_agent("""
Q: What is in #image1?
Ask Func[look]: #image1
Func[look] says: a cat
A: There is a cat in #image1.
""")
    assert converse(shots, "what's in #photo", "two dogs") == ["#photo", "There is two dogs in #photo."]


def test_without_few_shots_the_answer_says_what_to_do() -> None:
    [answer] = converse((), "Roll a d20")
    assert "OPENAI_API_KEY" in answer


@pytest.mark.parametrize(
    ("agent", "question", "replies"),
    [
        ("dice", "Roll 2d20", ["Error: dice have at most 12 sides"]),
        ("stock", "What's the price of XYZ?", ["unknown ticker"]),
        ("weather", "What's the weather in Atlantis?", ["no such place"]),
        ("notes", "List my notes", ["Error (ERR_X): the storage is full"]),
        ("helpers", "Draw a chart of MSFT", ["I cannot draw today."]),
    ],
)
def test_a_reply_unlike_the_examples_is_passed_on_as_it_is(
    agent: str, question: str, replies: list[str]
) -> None:
    assert converse(AGENTS[agent], question, *replies)[-1] == replies[-1]


def test_no_fact_of_an_example_becomes_a_fact_of_another_question() -> None:
    shots = read_agent("""
Q: Where is Paris?
Ask Func[locate]: Paris
Func[locate] says: in the north
A: Paris, France lies in the north.

Q: How is ACME doing?
Ask Func[price]: ACME
Func[price] says: 10
A: Acmesoft stands at 10.
""")
    assert converse(shots, "Where is London?", "in the south") == ["London", "in the south"]
    assert converse(shots, "How is INIT doing?", "7") == ["INIT", "7"]


def test_words_of_the_base_prompt_are_no_facts_of_one_example() -> None:
    [shot] = read_agent(
        "Q: Find Bob\nAsk Func[find]: Bob\nFunc[find] says: room 5\nA: Bob of Initech: room 5"
    )
    lines = [
        Line(LineKind.QUERY, "Find Alice"),
        Line(LineKind.ASK_FUNC, "Alice", "find"),
        Line(LineKind.FUNC_SAYS, "room 7", "find"),
    ]
    assert say((shot,), lines)[-1].text == "room 7"
    assert say((shot,), lines, "You work at Initech.")[-1].text == "Alice of Initech: room 7"
