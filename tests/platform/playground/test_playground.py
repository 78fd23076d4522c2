"""Chatting on the web page."""

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import fixieai


def test_a_question_is_answered_with_its_steps(page) -> None:
    page.open("/agents/local/dice")
    assert page.texts(".suggestions button") == ["Roll a d20", "Roll 3d8"]

    page.ask("Roll 2d20")
    page.wait_for_answer("You rolled 20 and 20, for a total of 40.")

    assert page.texts(".steps li") == ["Ask Func[roll]: 20 2", "Func[roll] says: 20 20"]
    assert page.texts(".byline") == ["local/dice · offline few-shot model"]
    assert "Answers imitate the agent" in page.texts("#offline")[0]
    assert page.texts("#sessions a[aria-current]") == ["Roll 2d20"]


def test_a_conversation_has_an_address_that_shows_it_again(page) -> None:
    page.open("/agents/local/dice")
    page.click(".suggestions button", "Roll a d20")
    page.wait_for_answer("You rolled a 20!")
    seen = page.texts("#log")
    assert page.path.startswith("/sessions/")

    page.chromium.refresh()  # the key of the tab is still there
    page.wait_for_answer("You rolled a 20!")
    assert page.texts("#log") == seen

    page.chromium.back()
    page.wait(lambda: page.texts(".empty h2") == ["local/dice"])
    page.chromium.forward()
    page.wait_for_answer("You rolled a 20!")


def test_what_one_agent_asks_another_is_set_apart(page) -> None:
    page.open("/agents/local/croupier")
    page.ask("Throw for me")
    page.wait(lambda: page.texts(".byline"))

    steps = [(step.get_attribute("data-depth"), step.text) for step in page.all(".steps li")]
    assert steps == [
        ("0", "Ask Agent[dice]: Roll a d20"),
        ("1", "Ask Func[roll]: 20 1"),
        ("1", "Func[roll] says: 20"),
        ("0", "Agent[dice] says: You rolled a 20!"),
    ]
    page.click(".steps summary")
    assert page.texts(".steps li") == []


def test_what_is_suggested_at_the_beginning_is_for_agents_that_run(page) -> None:
    gone = fixieai.StandaloneAgent(lambda query: query.text, sample_queries=["Say goodbye"])
    page.platform.serve(gone, "gone")
    page.platform.call("PUT", "/api/agents/local/gone", {"url": None})
    agents = page.platform.call("GET", "/api/agents")["agents"]
    assert [agent["queries"] for agent in agents if agent["handle"] == "gone"] == [["Say goodbye"]]

    page.open()
    page.platform.call("DELETE", "/api/agents/local/gone")

    running = [agent["queries"] for agent in agents if agent["status"] == "online"]
    assert page.texts(".suggestions button") == [queries[0] for queries in running if queries][:6]


def test_without_an_agent_the_router_chooses_one(page) -> None:
    page.open()
    page.ask("Roll 3d8")
    page.wait_for_answer("You rolled 8, 8, and 8, for a total of 24.")

    assert page.texts(".steps li")[0] == "Goes to local/dice"


def test_an_answer_grows_as_it_is_written(page, teller) -> None:
    page.open("/agents/local/teller")
    page.ask("Tell a story")
    for said in ("once", "once upon"):
        teller.go_on()
        page.wait(lambda said=said: page.texts(".answer[aria-busy=true] .text") == [said])
        assert page.texts("#status") == ["Waiting for the answer…"]
    teller.go_on()
    page.wait_for_answer("once upon a time")

    assert page.texts("#status") == []
    assert page.texts("#offline") == []  # no model answered
    assert page.run("return document.querySelector('#log').getAttribute('aria-live')") == "polite"


def test_long_conversations_are_shown_from_their_end(page) -> None:
    session = page.platform.call("POST", "/api/sessions", {"frontendAgentId": "local/dice"})["handle"]
    for number in range(1, 41):
        page.platform.ask("dice", f"Roll {number}d8", session)
    page.open(f"/sessions/{session}")
    page.wait(lambda: len(page.texts(".question .text")) == 25)
    assert page.texts(".question .text")[-1] == "Roll 40d8"

    page.click("#log button", "Earlier messages")

    page.wait(lambda: len(page.texts(".question .text")) == 40)
    assert page.texts(".question .text")[0] == "Roll 1d8"
    assert not page.texts("#log > .more")


def test_a_conversation_is_deleted_after_a_second_question(page) -> None:
    page.open("/agents/local/dice")
    page.ask("Roll 7d20")
    page.wait(lambda: "Roll 7d20" in page.texts("#sessions a"))
    handle = page.path.removeprefix("/sessions/")
    for answer, is_gone in (("Keep it", False), ("Delete", True)):
        page.click("#sessions li:has([aria-current]) .remove")
        page.click("dialog button", answer)
        page.wait(lambda: not page.texts("dialog"))
        page.wait(lambda is_gone=is_gone: ("Roll 7d20" not in page.texts("#sessions a")) is is_gone)
    assert page.path == "/"
    with pytest.raises(requests.HTTPError, match="404"):
        page.platform.call("GET", f"/api/sessions/{handle}")


def test_everything_has_a_name_and_is_reached_by_keyboard(page) -> None:
    page.open("/agents/local/dice")
    page.ask("Roll a d20")
    page.wait_for_answer("You rolled a 20!")
    controls = [e for e in page.all("a, button, input, textarea, summary") if e.is_displayed()]
    assert [e.get_attribute("outerHTML") for e in controls if not e.accessible_name.strip()] == []

    question = page.chromium.find_element(By.ID, "question")
    question.send_keys("Roll", Keys.SHIFT, Keys.ENTER, Keys.NULL, "a d20")
    assert question.get_property("value") == "Roll\na d20"
    assert len(page.all(".turn")) == 1
    reached = set()
    for _ in range(60):
        reached.add(page.run("return document.activeElement.outerHTML"))
        page.chromium.switch_to.active_element.send_keys(Keys.TAB)
    assert [html for e in controls if (html := e.get_attribute("outerHTML")) not in reached] == []
