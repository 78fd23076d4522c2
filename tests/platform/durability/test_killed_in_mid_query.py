"""Killed at any moment of a query, the platform finishes it after the restart and pays for nothing twice.

All moments at once: a query for each effect of each kind of agent is held there, and one more is let
go just before the kill, so that it is cut off wherever it has come to.
"""

import time
from dataclasses import dataclass

import pytest
from durable_platforms import Process
from scripted_world import EFFECTS, lines

AGENTS = tuple(EFFECTS)
# So long that on a busy machine it is still most of the time until the answer.
_LONG_LEASE_SECONDS = 12.0


@dataclass(frozen=True)
class Question:
    """A question that is held at an effect, and perhaps let go before the kill."""

    number: int
    agent: str
    effect: str
    session: str
    is_let_go: bool


def ask_everything(world, process: Process) -> list[Question]:
    """Returns when each of them has come to its effect."""
    places = [
        (agent, effect, is_let_go)
        for is_let_go in (False, True)
        for agent, effects in EFFECTS.items()
        for effect in effects
    ]
    questions = []
    for number, (agent, effect, is_let_go) in enumerate(places):
        question = Question(number, agent, effect, process.session(agent), is_let_go)
        world.calls.hold(number, effect)
        process.ask_later(agent, number, question.session)
        questions.append(question)
    world.calls.wait(len(questions))
    return questions


def kill(world, process: Process, questions: list[Question]) -> None:
    world.calls.let_go(question.number for question in questions if question.is_let_go)
    time.sleep(0.02)
    process.kill()
    world.calls.let_go()


def check(world, process: Process, questions: list[Question]) -> None:
    """Each has its answer, its lines once, and nothing was done again but what was in flight."""
    for question in questions:
        assert process.answered(question.session) == lines(question.agent, question.number)
        calls = world.calls.keys[question.number]
        assert list(calls) == list(EFFECTS[question.agent]), "each effect, in order"
        assert all(len(set(keys)) == 1 for keys in calls.values()), (question, calls)
        assert len({keys[0] for keys in calls.values()}) == len(calls), (question, calls)
        repeated = world.calls.repeated(question.number)
        assert len(repeated) <= 1, (question, calls)
        if not question.is_let_go:
            assert repeated == [question.effect]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_answers_arrive_and_what_was_finished_is_not_repeated(world, variables, tmp_path, engine) -> None:
    first = world.platform(tmp_path / "home", **variables(engine))
    world.register(first, *AGENTS)
    questions = ask_everything(world, first)
    kill(world, first, questions)

    second = world.platform(tmp_path / "home", port=first.port, **variables(engine))

    check(world, second, questions)


@pytest.mark.timeout(240)
def test_another_platform_of_the_database_finishes_within_twice_the_lease(world, shared, tmp_path) -> None:
    variables = {**shared, "FIXIE_LEASE_SECONDS": str(_LONG_LEASE_SECONDS)}
    first, second = (world.platform(tmp_path / name, **variables) for name in ("one", "two"))
    world.register(first, *AGENTS)
    questions = ask_everything(world, first)
    held = questions[0]
    kill(world, first, questions)
    killed = time.monotonic()

    second.answered(held.session)
    taken = time.monotonic() - killed

    check(world, second, questions)
    print(f"answered {taken:.1f} s after the kill, the lease being {_LONG_LEASE_SECONDS} s")
    assert taken < 2 * _LONG_LEASE_SECONDS
