"""Killed at any moment of a query, the platform finishes it after the restart and pays for nothing twice."""

import time

import pytest

_EFFECTS = ("model 0", "func one", "model 1", "func two", "model 2")
_ANSWER = "first and second"
_LINES = [
    "Go",
    "Ask Func[one]: a",
    "Func[one] says: first",
    "Ask Func[two]: b",
    "Func[two] says: second",
    _ANSWER,
]


@pytest.mark.parametrize("effect", _EFFECTS)
@pytest.mark.parametrize("moment", ["during", "after"])
def test_the_answer_arrives_and_what_was_finished_is_not_repeated(world, tmp_path, effect, moment) -> None:
    first = world.platform(tmp_path / "home")
    first.call("PUT", "/api/agents/local/go", {"url": world.agent_url})
    session = first.call("POST", "/api/sessions", {"frontendAgentId": "go"}).json()["handle"]
    world.calls.hold(effect)
    first.ask_later(session)
    assert world.calls.reached.wait(20)
    if moment == "after":
        world.calls.let_go()
        time.sleep(0.003)
    first.kill()
    world.calls.let_go()

    second = world.platform(tmp_path / "home", first.port)

    assert second.answer(session) == _ANSWER
    assert [message["text"] for message in second.messages(session)] == _LINES
    counts = world.calls.counts()
    following = _EFFECTS[_EFFECTS.index(effect) + 1 :][:1]
    for each in _EFFECTS:
        # Where it was killed a moment later, the effect behind may have been in flight.
        in_flight = {effect} if moment == "during" else {effect, *following}
        assert counts[each] == 1 or (each in in_flight and counts[each] == 2), counts
        assert len(set(world.calls.keys[each])) == 1
    assert sum(counts.values()) <= len(_EFFECTS) + 1
