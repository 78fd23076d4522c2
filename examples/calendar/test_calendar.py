import pathlib
import re
import urllib.parse
from collections.abc import Iterator
from types import ModuleType

import pytest
import requests

from fixieai import testing

HERE = pathlib.Path(__file__)
calendar_service = testing.load(HERE.with_name("calendar_service.py"))
QUESTION = "What is on my calendar on Tuesday?"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The agent's program, with the service that it reads calendars at."""
    with calendar_service.running() as url:
        monkeypatch.setenv("CALENDAR_URL", url)
        yield testing.load(HERE.with_name("main.py"))


@pytest.fixture
def platform(program: ModuleType) -> Iterator[testing.Platform]:
    with testing.platform() as running:
        running.serve(program.agent, "calendar")
        yield running


def answer_question(link: str, answer: str) -> requests.Response:
    """Ada opens the link, presses a button, and is sent back to the platform."""
    assert "wants to: <strong>calendar.read</strong>" in requests.get(link, timeout=10).text
    form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query)) | {"answer": answer}
    return requests.post(link, data=form, timeout=10)


def link_in(text: str) -> str:
    return str(re.findall(r"http\S+", text)[0])


def test_once_ada_allowed_it_the_agent_reads_her_calendar(platform: testing.Platform) -> None:
    first = platform.ask("calendar", QUESTION)
    assert first.text.startswith("I may not read your calendar yet.")

    page = answer_question(link_in(first.text), "allow")

    assert page.status_code == 200
    assert "You are connected" in page.text
    assert platform.ask("calendar", QUESTION).text == "12:30 Lunch with Charles"
    assert platform.ask("calendar", "What is on my calendar on Sunday?").text == "Nothing."


def test_when_ada_says_no_the_agent_asks_again_next_time(platform: testing.Platform) -> None:
    page = answer_question(link_in(platform.ask("calendar", QUESTION).text), "deny")

    assert "No permission was given" in page.text
    assert platform.ask("calendar", QUESTION).text.startswith("I may not read your calendar yet.")
