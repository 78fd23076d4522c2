"""A person in a browser allows an agent to act for them at another service."""

import contextlib
import pathlib
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By

import fixieai
from fixieai import testing

EXAMPLE = pathlib.Path(__file__).parents[3] / "examples" / "calendar"
QUESTION = "What is on my calendar on Tuesday?"
SAID = (
    "See https://a.example/x?y=(1), http://b.example/. javascript:alert(1) <https://c.example/é#z> "
    "ftp://d.example httpsx://e.example"
)


@pytest.fixture(scope="module", autouse=True)
def calendar(platform: testing.Platform) -> Iterator[None]:
    service = testing.load(EXAMPLE / "calendar_service.py")
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CALENDAR_URL", stack.enter_context(service.running()))
        platform.serve(testing.load(EXAMPLE / "main.py").agent, "calendar")
        platform.serve(fixieai.StandaloneAgent(lambda query: SAID), "links")
        yield


@contextlib.contextmanager
def opened_window(page) -> Iterator[None]:
    """What happens in the window that was opened last."""
    first, *_, last = page.wait(lambda: handles if len(handles := page.chromium.window_handles) > 1 else None)
    page.chromium.switch_to.window(last)
    yield
    page.chromium.close()
    page.chromium.switch_to.window(first)


def answer_at_the_service(page, answer: str) -> tuple[str, str]:
    """The title and the first sentences of the page that the person sees afterwards."""
    page.click(".answer .text a")
    with opened_window(page):
        page.wait(lambda: "Ada's calendar" in page.texts("h1"))
        page.click("button", answer)
        page.wait(lambda: page.path.startswith("/oauth?"))
        (title,) = page.texts("h1")
        first, *_ = page.texts("p")
        assert page.run("return document.styleSheets[0].cssRules.length > 3")  # the policy lets it
    return title, first


def test_from_the_question_to_the_answer(page) -> None:
    page.open("/agents/local/calendar")
    page.ask(QUESTION)
    page.wait(lambda: page.all(".answer[aria-busy=false] .text a"))

    title, _ = answer_at_the_service(page, "Deny")
    assert title == "No permission was given"
    page.ask(QUESTION)
    page.wait(lambda: len(page.all(".answer[aria-busy=false] .text a")) == 2)
    page.run("document.querySelector('.turn').remove()")
    title, text = answer_at_the_service(page, "Allow")

    assert title == "You are connected"
    assert text.startswith("The agent local/calendar has the permission that you gave.")
    page.ask(QUESTION)
    page.wait_for_answer("12:30 Lunch with Charles")


def test_addresses_in_answers_are_links_and_nothing_else_is(page) -> None:
    page.open("/agents/local/links")
    page.ask("Links?")
    page.wait_for_answer(SAID)

    links = page.all(".answer .text a")

    assert [link.get_attribute("href") for link in links] == [
        "https://a.example/x?y=(1",
        "http://b.example/",
        "https://c.example/%C3%A9#z",
    ]
    assert {(link.get_attribute("rel"), link.get_attribute("target")) for link in links} == {
        ("noopener noreferrer", "_blank")
    }
    assert page.chromium.find_element(By.CSS_SELECTOR, ".answer .text").text == SAID
