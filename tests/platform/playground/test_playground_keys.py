"""Keys of the web page, and its files, which anybody may have."""

import pathlib

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

from fixieai import testing
from fixieai.platform import signing_keys
from fixieai.platform.auth import API_KEY_AUDIENCE


def test_the_code_leaves_the_address_and_works_once(page) -> None:
    page.expects_failures = True
    link = page.link("/agents/local/dice")
    page.chromium.get(link)
    page.wait(lambda: page.texts("#account"))
    assert page.chromium.current_url == f"{page.platform.url}/agents/local/dice"

    page.run("sessionStorage.clear()")
    page.chromium.get("about:blank")
    page.chromium.get(link)

    page.wait(
        lambda: page.texts("#sign-in-reason") == ["This link was used before, or is older than 15 minutes."]
    )
    assert page.texts("#composer, #sidebar") == []


def test_a_link_opened_in_a_page_that_has_no_key_is_enough(page) -> None:
    page.chromium.get(page.platform.url)
    page.wait(lambda: page.texts("#sign-in h2") == ["This page needs a key"])
    page.chromium.get(page.link())  # the same address but for the code: nothing is loaded
    page.wait(lambda: page.texts("#account"))
    assert page.texts("#sign-in") == []


def test_a_new_tab_gets_the_key_of_an_open_one(page) -> None:
    page.open()
    first = page.chromium.current_window_handle
    page.chromium.switch_to.new_window("tab")
    try:
        page.chromium.get(page.platform.url)
        page.wait(lambda: page.texts("#account"))
    finally:
        page.chromium.close()
        page.chromium.switch_to.window(first)


@pytest.mark.parametrize("is_in_another_tab", [False, True])
def test_a_link_of_somebody_else_takes_nobody_s_place_unasked(page, *, is_in_another_tab: bool) -> None:
    """Whoever sends such a link would read what is asked on the page from then on."""
    name = f"mallory-{is_in_another_tab}".lower()
    mallory = page.platform.add_user(name)
    links = [f"{page.platform.url}/#code={mallory.call('POST', '/api/browser-codes')['code']}" for _ in "12"]
    page.open()
    first = page.chromium.current_window_handle
    try:
        if is_in_another_tab:
            page.chromium.switch_to.new_window("tab")
        for link, answer, user in zip(links, ("dismiss", "accept"), ("local", name), strict=True):
            page.chromium.get(link)
            question = WebDriverWait(page.chromium, 60).until(expected_conditions.alert_is_present())
            assert f"signs you in as {name}, and you are local" in question.text
            getattr(question, answer)()
            page.wait(lambda user=user: page.texts("#account a") == [user])
    finally:
        page.run("sessionStorage.clear()")
        if is_in_another_tab:
            page.chromium.close()
            page.chromium.switch_to.window(first)


def test_a_key_that_ended_asks_for_another_and_a_pasted_one_is_not_kept(page, home: pathlib.Path) -> None:
    page.expects_failures = True
    page.open("/agents/local/dice")
    ended = signing_keys.load_or_create(home).sign(
        {"sub": "local", "aud": API_KEY_AUDIENCE, "jti": "x", "exp": 1}
    )
    page.run(f"sessionStorage.setItem('fixie.key', '{ended}')")
    page.chromium.refresh()
    page.wait(lambda: page.texts("#sign-in-reason"))
    assert page.run("return sessionStorage.length") == 0

    page.chromium.find_element(By.ID, "api-key").send_keys("wrong", Keys.ENTER)
    page.wait(lambda: "not valid" in page.texts("#sign-in-reason")[0])
    page.chromium.find_element(By.ID, "api-key").send_keys(page.platform.api_key, Keys.ENTER)
    page.wait(lambda: page.texts(".suggestions"))

    kept = page.run("return [JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie]")
    assert page.platform.api_key not in kept[0]
    assert kept[1:] == ["{}", ""]


def test_every_address_of_the_page_is_the_same_file_with_nothing_in_it(platform: testing.Platform) -> None:
    paths = ("/", "/agents/local/dice", "/agents/nobody/nothing", "/sessions/any-session")
    answers = [requests.get(platform.url + path, timeout=60) for path in paths]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["Content-Type"] == "text/html; charset=utf-8"
    assert "style=" not in answers[0].text
    assert "<script>" not in answers[0].text


@pytest.mark.parametrize("path", ["/", "/static/playground.js", "/static/playground.css", "/static/icon.svg"])
def test_files_may_load_nothing_from_elsewhere(platform: testing.Platform, path: str) -> None:
    answer = requests.get(platform.url + path, timeout=60)

    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    } <= set(policy)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Set-Cookie" not in answer.headers
    again = requests.get(platform.url + path, headers={"If-None-Match": answer.headers["ETag"]}, timeout=60)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2Fapp.py", "%2e%2e/app.py", "index.html%00", "__init__.py"]
)
def test_only_the_files_of_the_page_are_served(platform: testing.Platform, name: str) -> None:
    answer = requests.get(f"{platform.url}/static/{name}", timeout=60)

    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["code"] in {"not_found", "bad_request"}
