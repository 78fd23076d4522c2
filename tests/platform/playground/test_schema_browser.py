"""The schema browser: a query, its answer, and the schema to write it by, without any other server."""

import json

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

HTML = "<img src=x onerror=alert(1)>"


class Browser:
    """What a person does with the page."""

    def __init__(self, page) -> None:
        self.page = page

    def open(self) -> None:
        self.page.chromium.get("about:blank")
        self.page.chromium.get(self.page.link("/graphql"))
        self.page.wait(lambda: self.page.texts("#docs li"))
        self.page.run("sessionStorage.removeItem('fixie.graphql')")

    @property
    def query(self):
        return self.page.chromium.find_element(By.ID, "query")

    def write(self, query: str, variables: str = "") -> None:
        for editor, text in (("query", query), ("variables", variables)):
            self.page.run(
                "const field = document.getElementById(arguments[0]);"
                "field.value = arguments[1]; field.dispatchEvent(new Event('input'))",
                editor,
                text,
            )

    def answer(self) -> dict:
        self.page.wait(lambda: self.page.texts("#state") and "Running" not in self.page.texts("#state")[0])
        text: str = self.page.run("return document.getElementById('answer').textContent")
        return json.loads(text[text.index("{") :])

    def run(self, query: str, variables: str = "") -> dict:
        self.write(query, variables)
        self.page.click("#run")
        return self.answer()


@pytest.fixture
def browser(page) -> Browser:
    browser = Browser(page)
    browser.open()
    return browser


def test_a_query_is_run_by_keyboard_and_answered(page, browser: Browser) -> None:
    browser.write("{ user { username } }")
    browser.query.send_keys(Keys.CONTROL, Keys.ENTER)

    assert browser.answer() == {"data": {"user": {"username": "local"}}}
    assert page.texts("#state")[0].startswith("Answered in ")
    assert page.texts("#account") == ["local"]


def test_what_is_typed_is_shown_in_colours_and_completed(page, browser: Browser) -> None:
    browser.write("")
    browser.query.send_keys("{", Keys.ENTER, "agentB")
    page.wait(lambda: page.texts("#suggestions [aria-selected=true]") == ["agentById\nAgentType"])
    browser.query.send_keys(Keys.ENTER, "(ag")
    page.wait(lambda: page.texts("#suggestions li") == ["agentId\nString!"])
    browser.query.send_keys(Keys.ENTER, ': "dice") {', Keys.ENTER, "queri", Keys.ENTER)

    assert browser.query.get_property("value").split() == [
        "{",
        "agentById(agentId:",
        '"dice")',
        "{",
        "queries",
        "}",
        "}",
    ]
    assert page.run(
        "return document.querySelector('#query-editor pre').textContent.trim()"
    ) == browser.query.get_property("value")
    assert page.texts("#query-editor pre .string") == ['"dice"']
    page.click("#run")
    assert browser.answer() == {"data": {"agentById": {"queries": ["Roll a d20", "Roll 3d8"]}}}


def test_the_schema_is_read_and_used(page, browser: Browser) -> None:
    page.click("#docs .link", "AgentType")
    page.wait(lambda: page.texts("#docs h2") == ["AgentType"])
    assert page.texts("#trail") == ["Schema \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} AgentType"]

    page.chromium.find_element(By.ID, "search").send_keys("sendSession")
    page.wait(lambda: page.texts("#docs .field")[:1] == ["sendSessionMessage"])
    page.click("#docs .use")

    assert "sendSessionMessage(messageData: $messageData)" in browser.query.get_property("value")
    session = page.platform.call("POST", "/api/sessions", {"frontendAgentId": "dice"})["handle"]
    answer = browser.run(
        browser.query.get_property("value"),
        json.dumps({"messageData": {"session": session, "text": "Roll a d6"}}),
    )
    assert answer["data"]["sendSessionMessage"]["response"]["text"] == "You rolled a 6!"


def test_every_operation_that_the_page_writes_is_valid(page, browser: Browser) -> None:
    count = page.run("return document.querySelectorAll('#docs .use').length")
    assert count > 12
    for at in range(count):
        page.run(f"document.querySelectorAll('#docs .use')[{at}].click()")
        query = browser.query.get_property("value")
        page.expects_failures = True  # its variables are empty
        page.click("#run")
        errors = browser.answer().get("errors", [])
        assert not [error for error in errors if error.get("locations") and not error.get("path")] or (
            "codePackage" in query or "Upload" in errors[0]["message"]
        ), (query, errors)
        page.click(".panes button" if page.texts(".panes button") else "#tidy")


def test_examples_are_valid_and_tidying_changes_nothing_of_them(page, browser: Browser) -> None:
    names = page.run(
        "return [...document.querySelectorAll('#examples option')].map((o) => o.value).filter(Boolean)"
    )
    assert len(names) >= 5
    for name in names:
        page.run(
            "const list = document.getElementById('examples'); list.value = arguments[0];"
            "list.dispatchEvent(new Event('change'))",
            name,
        )
        written = browser.query.get_property("value")
        page.click("#tidy")
        assert browser.query.get_property("value").split() == written.split()
        page.click("#run")
        assert not [error for error in browser.answer().get("errors", []) if "path" not in error], name


def test_what_went_wrong_is_said(page, browser: Browser) -> None:
    page.expects_failures = True

    browser.run("{ user { usernam } }")

    assert page.texts("#answer .problem") == ["Cannot query field 'usernam' on type 'UserType'. (line 1)"]
    assert page.texts("#state")[0].startswith("Failed")
    browser.write("{ user { username } }", "{")
    page.click("#run")
    assert page.texts("#variables-problem") == ["— not a JSON object"]


def test_answers_and_queries_are_text_whatever_they_hold(page, browser: Browser) -> None:
    page.platform.call("PUT", "/api/agents/local/odd", {"description": HTML, "url": None})

    answer = browser.run('{ agentById(agentId: "odd") { description } } # ' + HTML)

    assert answer == {"data": {"agentById": {"description": HTML}}}
    assert not page.all("#answer img, #query-editor img")


def test_without_a_key_the_page_asks_for_one_and_is_the_same_for_everybody(page) -> None:
    page.chromium.get(page.platform.url + "/healthz")
    page.run("sessionStorage.clear()")
    page.chromium.get(page.platform.url + "/graphql")
    page.wait(lambda: page.texts("#sign-in h2") == ["This page needs a key"])
    assert page.texts("#workbench") == []

    page.expects_failures = True
    field = page.chromium.find_element(By.ID, "api-key")
    field.send_keys("not.a.key", Keys.ENTER)
    page.wait(lambda: page.texts("#sign-in-reason"))
    field.send_keys(page.platform.api_key, Keys.ENTER)

    page.wait(lambda: page.texts("#docs li"))
    assert page.platform.api_key not in page.run("return JSON.stringify(sessionStorage)")


def test_it_asks_no_other_server_and_fits_a_phone(page, browser: Browser) -> None:
    origins = page.run(
        "return performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)"
    )
    assert set(origins) == {page.platform.url}

    page.chromium.set_window_size(390, 800)
    for pane in ("Query", "Answer", "Schema"):
        page.click(".panes button", pane)
        assert page.texts("#workbench > section")
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")
        unnamed = [
            each.get_attribute("outerHTML")
            for each in page.all("a, button, input, textarea, select, summary")
            if each.is_displayed() and not each.accessible_name.strip()
        ]
        assert unnamed == []
