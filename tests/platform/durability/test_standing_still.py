"""A platform that stands still beyond its lease loses its queries, and writes nothing more to them."""

import time

from scripted_world import EFFECTS, lines

_TAKEN_FOR_DEAD = "was taken for dead while it stood still"


def test_who_wakes_after_its_lease_adds_nothing_and_goes_on_under_a_new_name(world, shared, tmp_path) -> None:
    first, second = (world.platform(tmp_path / name, **shared) for name in ("one", "two"))
    world.register(first, "go", "outer", "alone")
    places = [(agent, effect) for agent in ("outer", "alone") for effect in EFFECTS[agent]]
    sessions = [first.session(agent) for agent, _ in places]
    asked = []
    for number, (agent, effect) in enumerate(places):
        world.calls.hold(number, effect)
        asked.append(first.ask_later(agent, number, sessions[number]))
    world.calls.wait(len(places))
    first.stand_still()

    for number, (agent, _) in enumerate(places):
        assert second.answered(sessions[number]) == lines(agent, number)
    world.calls.let_go()  # what the first one waited for is there when it wakes
    time.sleep(0.2)
    first.go_on()
    until = time.monotonic() + 60
    while _TAKEN_FOR_DEAD not in first.log():
        assert time.monotonic() < until, first.log()
        time.sleep(0.05)

    for number, (agent, effect) in enumerate(places):
        response = asked[number].wait()
        assert response is not None
        assert response.status_code == 503, response.text
        assert "its answer will be in the session" in response.text
        assert second.messages(sessions[number]) == lines(agent, number)
        assert world.calls.repeated(number) == [effect]
    again = first.ask("go", 100)
    assert again.json()["message"]["text"] == lines("go", 100)[-1]
