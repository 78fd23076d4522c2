"""Whatever a person does works on either of two platforms, in turn."""

import contextlib
from collections.abc import Iterator

import pytest

import fixieai
from fixieai import testing


def make_greeter() -> fixieai.CodeShotAgent:
    """Each question needs a call of a func, with a token that the agent verifies."""
    agent = fixieai.CodeShotAgent(
        "I greet.", "Q: Hi\nAsk Func[greet]: now\nFunc[greet] says: Hello!\nA: Hello!"
    )

    @agent.register_func
    def greet(query: fixieai.Message) -> str:
        return "Hello!"

    return agent


@pytest.fixture
def people(replicas) -> Iterator[list[testing.Platform]]:
    """The local user, at each platform with the key of its home."""
    with contextlib.ExitStack() as stack:
        yield [testing.Platform(replica.url, replica.key, stack) for replica in replicas]


def test_an_agent_and_a_session_are_the_same_on_both(people) -> None:
    one, two = people
    one.serve(make_greeter(), "greeter")

    first = two.ask("greeter", "Hi")
    again = one.ask("greeter", "Hi", session=first.session)

    assert [first.text, again.text] == ["Hello!", "Hello!"]
    for person in people:
        path = f"/api/sessions/{first.session}/messages"
        assert len(person.call("GET", path)["messages"]) == 8
        assert [s["handle"] for s in person.call("GET", "/api/sessions")["sessions"]] == [first.session]
