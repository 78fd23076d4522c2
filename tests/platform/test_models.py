"""Queries answered by a language model over real HTTP: both renderings, streaming and not, well and badly."""

import contextlib
import json
from collections.abc import Iterator

import pytest

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.testing.model_server import (
    BreaksOff,
    Calls,
    Fails,
    Garbage,
    Hangs,
    ModelServer,
    NoChoices,
    Says,
    Script,
)

ROLL_BY_TOOL = Calls([("roll", json.dumps({"query": "20 2"}))])
ROLL_BY_TEXT = Says("Thought: two dice.\nAsk Func[roll]: 20 2")
ANSWER = "You rolled 20 and 20, for a total of 40."
RENDERINGS = pytest.mark.parametrize(
    ("rendering", "roll", "answer"),
    [("tools", ROLL_BY_TOOL, Says(ANSWER)), ("text", ROLL_BY_TEXT, Says(f"A: {ANSWER}"))],
)
IMPATIENT = {
    "FIXIE_LLM_FIRST_TOKEN_SECONDS": "1",
    "FIXIE_LLM_BETWEEN_TOKENS_SECONDS": "1",
    "FIXIE_LLM_TOTAL_SECONDS": "4",
}
STREAMING = pytest.mark.parametrize("streams", ["1", "0"])


@contextlib.contextmanager
def answered_by(script: Script, dice: fixieai.CodeShotAgent, **variables: str) -> Iterator[tuple]:
    with ModelServer(script) as server:
        settings = ModelSettings.from_environment(
            {
                "FIXIE_LLM_BASE_URL": server.base_url,
                "FIXIE_DEFAULT_MODEL": "custom/scripted",
                "FIXIE_LLM_FIRST_TOKEN_SECONDS": "30",
                "FIXIE_LLM_BETWEEN_TOKENS_SECONDS": "30",
                "FIXIE_LLM_TOTAL_SECONDS": "60",
                "FIXIE_LLM_LONGEST_WAIT_SECONDS": "1",
                **variables,
            }
        )
        with testing.platform(settings) as platform:
            platform.serve(dice, "dice")
            yield platform, server


@pytest.fixture
def dice() -> fixieai.CodeShotAgent:
    shots = "Q: Roll 3d8\nAsk Func[roll]: 8 3\nFunc[roll] says: 5 3 8\nA: 5, 3, and 8, for a total of 16."
    agent = fixieai.CodeShotAgent("I roll dice.", shots)

    @agent.register_func
    def roll(query: str) -> str:
        size, count = query.split()
        return " ".join([size] * int(count))

    return agent


@RENDERINGS
@STREAMING
def test_a_model_calls_the_func_and_answers(dice, rendering, roll, answer, streams) -> None:
    variables = {"FIXIE_LLM_RENDERING": rendering, "FIXIE_LLM_STREAM": streams}
    with answered_by([roll, answer], dice, **variables) as (platform, server):
        given = platform.ask("dice", "Roll 2d20")

    assert given.text == ANSWER
    assert given.error is None
    assert given.model == "custom/scripted"
    assert given.said("roll") == "20 20"
    assert [request.headers["idempotency-key"] for request in server.requests] == sorted(
        {request.headers["idempotency-key"] for request in server.requests}
    )


@RENDERINGS
def test_the_answer_is_streamed_as_the_model_writes_it(dice, rendering, roll, answer) -> None:
    slowly = Says(answer.text, seconds_per_word=0.2)
    with answered_by([roll, slowly], dice, FIXIE_LLM_RENDERING=rendering) as (platform, _):
        given = platform.ask("dice", "Roll 2d20")

    assert len(given.partials) >= 3
    assert all(ANSWER.startswith(partial) for partial in given.partials)


def test_a_model_that_writes_on_past_stop_is_cut_before_it_invents(dice) -> None:
    invents = Says(
        "Ask Func[roll]: 20 2\nFunc[roll] says: 1 1\nA: You rolled 1 and 1, for a total of 2.",
        ignores_stop=True,
    )
    with answered_by([invents, Says(f"A: {ANSWER}")], dice, FIXIE_LLM_RENDERING="text") as (platform, _):
        given = platform.ask("dice", "Roll 2d20")

    assert given.text == ANSWER
    assert given.said("roll") == "20 20"


def test_a_model_that_says_for_the_func_gets_the_func_called(dice) -> None:
    invents = Says("Func[roll] says: 1 1\nA: 2", ignores_stop=True)
    with answered_by([invents, Says("A: done")], dice, FIXIE_LLM_RENDERING="text") as (platform, _):
        given = platform.ask("dice", "20 2")

    assert given.text == "done"
    assert given.said("roll") == "20 20"


@RENDERINGS
def test_a_model_that_is_down_for_a_moment_is_tried_again(dice, rendering, roll, answer) -> None:
    script = [Fails(500), Fails(429, {"Retry-After": "0.1"}), roll, answer]
    with answered_by(script, dice, FIXIE_LLM_RENDERING=rendering) as (platform, server):
        assert platform.ask("dice", "Roll 2d20").text == ANSWER
    assert len(server.requests) == 4


@RENDERINGS
@pytest.mark.parametrize(
    "reply",
    [
        Fails(500),
        Fails(401),
        Fails(404),
        Garbage(b"<html>"),
        NoChoices(),
        BreaksOff("A: You ro"),
        Hangs(),
        Hangs("A: You"),
    ],
    ids=repr,
)
def test_a_model_that_fails_ends_the_query_with_a_clear_message(dice, rendering, roll, answer, reply) -> None:
    variables = {"FIXIE_LLM_RENDERING": rendering, **(IMPATIENT if isinstance(reply, Hangs) else {})}
    with answered_by([reply], dice, **variables) as (platform, _):
        given = platform.ask("dice", "Roll 2d20")
        last = platform.call("GET", f"/api/sessions/{given.session}/messages")["messages"][-1]

    assert given.error in ("model_unavailable", "configuration")
    assert "custom/scripted" in given.text
    assert last["text"] == given.text
    assert "You" not in given.text.split()


def test_half_a_request_for_a_func_is_asked_for_again(dice) -> None:
    script = [BreaksOff("Thought: two dice.\nAsk Func[roll"), ROLL_BY_TEXT, Says(f"A: {ANSWER}")]
    with answered_by(script, dice, FIXIE_LLM_RENDERING="text") as (platform, server):
        assert platform.ask("dice", "Roll 2d20").text == ANSWER
    assert len(server.requests) == 3


def test_a_model_that_is_not_there_is_named(dice) -> None:
    with answered_by([], dice, FIXIE_LLM_BASE_URL="http://127.0.0.1:1/v1") as (platform, _):
        given = platform.ask("dice", "Roll 2d20")

    assert given.error == "model_unavailable"
    assert "custom/scripted" in given.text


def test_an_agent_that_wants_a_model_without_a_key_is_told_in_three_lines() -> None:
    settings = fixieai.LlmSettings(model="openai/gpt-6-luna")
    agent = fixieai.CodeShotAgent("I talk.", [], llm_settings=settings)
    with testing.platform(ModelSettings()) as platform:
        platform.serve(agent, "talker")
        given = platform.ask("talker", "Hello")

    assert given.error == "configuration"
    assert "OPENAI_API_KEY" in given.text
    assert "few-shot" in given.text
    assert len(given.text.splitlines()) <= 3


def test_a_model_that_only_names_funcs_that_do_not_exist_is_told_twice_and_then_stopped(dice) -> None:
    with answered_by([Says("Ask Func[nope]: 1")], dice, FIXIE_LLM_RENDERING="text") as (platform, server):
        given = platform.ask("dice", "Roll 2d20")

    assert given.error == "limit_reached"
    assert len(server.requests) == 3
    assert "There is no func nope" in given.said("nope")


def test_a_model_that_never_answers_ends_at_the_step_limit(dice) -> None:
    with answered_by([ROLL_BY_TEXT], dice, FIXIE_LLM_RENDERING="text") as (platform, server):
        given = platform.ask("dice", "Roll 2d20")

    assert given.error == "limit_reached"
    assert "20 steps" in given.text
    assert len(server.requests) == 20


def test_a_conversational_agent_sees_what_was_said_before_and_a_plain_one_does_not() -> None:
    script = [Says("A: Hello Ada."), Says("A: You are Ada.")]
    for conversational in (True, False):
        agent = fixieai.CodeShotAgent("I chat.", [], conversational=conversational)
        with answered_by(script, agent, FIXIE_LLM_RENDERING="tools") as (platform, server):
            first = platform.ask("dice", "I am Ada.")
            platform.ask("dice", "Who am I?", first.session)

        shown = [message["content"] for message in server.requests[1].body["messages"]]
        assert ("I am Ada." in shown) is conversational


def test_a_typed_func_is_offered_with_its_schema_and_bad_arguments_are_explained_to_the_model() -> None:
    import dataclasses

    @dataclasses.dataclass
    class Booking:
        guests: int
        time: str

    agent = fixieai.CodeShotAgent("I book tables.", [])

    @agent.register_func
    def book(query: Booking) -> str:
        return f"Booked for {query.guests} at {query.time}."

    script = [
        Calls([("book", '{"guests": "many"}')]),
        Calls([("book", '{"guests": 2, "time": "20:30"}')]),
        Says("Done."),
    ]
    with answered_by(script, agent) as (platform, server):
        given = platform.ask("dice", "A table for two at half past eight")

    schema = server.requests[0].body["tools"][0]["function"]["parameters"]
    assert set(schema["properties"]) == {"guests", "time"}
    explained = server.requests[1].body["messages"][-1]["content"]
    assert "guests" in explained
    assert "Traceback" not in explained
    assert given.text == "Done."
    assert "Booked for 2 at 20:30." in [step.text.partition(" says: ")[2] for step in given.steps]


def test_two_hundred_queries_at_once_through_a_model_all_get_their_own_answer() -> None:
    import concurrent.futures

    def echo(body: dict) -> Says:
        return Says(f"A: {body['messages'][-1]['content']}")

    agent = fixieai.CodeShotAgent("I echo.", [])
    with (
        answered_by(echo, agent, FIXIE_LLM_RENDERING="tools") as (platform, _),
        concurrent.futures.ThreadPoolExecutor(40) as pool,
    ):
        given = list(pool.map(lambda number: platform.ask("dice", f"number {number}"), range(200)))

    assert [answer.text for answer in given] == [f"number {number}" for number in range(200)]
