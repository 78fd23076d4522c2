"""A person who is invited, signs in, lets a command line in, and looks after their keys."""

import threading
from collections.abc import Iterator

import pytest
import requests
from selenium.webdriver.common.by import By

from fixieai import errors, testing
from fixieai.cli.auth.code_flow import CodeFlow, Listener

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def platform() -> Iterator[testing.Platform]:
    """One whose people are those of these tests."""
    with testing.platform() as running:
        yield running


@pytest.fixture(scope="module")
def ann(platform: testing.Platform) -> str:
    """Somebody with a password."""
    url = platform.call("POST", "/api/users", {"username": "ann"})["invitation"]["url"]
    body = {"code": url.partition("code=")[2], "password": PASSWORD}
    assert requests.post(f"{platform.url}/api/invitations", json=body, timeout=60).ok
    return "ann"


def type_in(page, **texts: str) -> None:
    for name, text in texts.items():
        field = page.chromium.find_element(By.ID, name.replace("_", "-"))
        field.clear()
        field.send_keys(text)


def sign_in(page, username: str, password: str = PASSWORD) -> None:
    page.wait(lambda: page.texts("#password-form"))
    type_in(page, username=username, password=password)
    page.click("#password-form .primary")


def test_who_is_invited_chooses_a_password_and_is_in(page, platform: testing.Platform) -> None:
    page.expects_failures = True
    url = platform.call("POST", "/api/users", {"username": "zoe"})["invitation"]["url"]
    page.chromium.get(url)
    page.wait(lambda: page.texts("#welcome-view h1") == ["Welcome"])
    assert page.path == "/welcome"  # the code has left the address
    assert page.run("return document.getElementById('welcome-name').value") == "zoe"

    type_in(page, new_password="aaaaaaaaaaaa")
    page.click("#welcome-form .primary")
    page.wait(lambda: "easy to guess" in "".join(page.texts("#welcome-form .failure")))
    type_in(page, new_password=PASSWORD)
    page.click("#show-password")
    assert page.run("return document.getElementById('new-password').type") == "text"
    page.click("#welcome-form .primary")

    page.wait(lambda: "zoe" in "".join(page.texts("#account")))
    assert page.path == "/"


def test_signing_in_leads_where_one_wanted_to_go_and_nowhere_else(page, ann: str) -> None:
    page.expects_failures = True
    page.chromium.get(f"{page.platform.url}/sessions/some-handle")
    page.click("#with-password a")
    sign_in(page, ann, "not the password")
    page.wait(
        lambda: page.texts("#password-form .failure") == ["There is nobody of that name with that password."]
    )
    sign_in(page, ann)
    page.wait(lambda: page.texts("#account"))
    assert page.path == "/sessions/some-handle"

    for elsewhere in ("https://example.com/x", "//example.com/x", "/\\example.com"):
        page.chromium.get(f"{page.platform.url}/login?then={elsewhere}")
        page.wait(lambda: page.texts("#account"))
        assert page.path == "/"


def test_on_a_platform_of_ones_own_nobody_is_asked_for_a_password(page) -> None:
    with testing.platform() as own:
        page.chromium.get(f"{own.url}/profile")
        page.wait(lambda: page.texts("#key-form"))
        assert page.texts("#password-form") == []
        type_in(page, api_key=own.api_key)
        page.click("#key-form .primary")
        page.wait(lambda: page.texts("#profile-heading") == ["local"])
        assert page.texts("#change-card") == page.texts("#pages-card") == []
        page.run("sessionStorage.clear()")
        page.chromium.get(own.url)
        page.wait(lambda: page.texts("#sign-in"))
        assert page.texts("#with-password") == []


def test_keys_are_made_shown_once_and_revoked(page, ann: str) -> None:
    page.chromium.get(f"{page.platform.url}/login?then=/profile")
    sign_in(page, ann)
    page.wait(lambda: page.texts("#profile-heading") == ["ann"])
    type_in(page, key_name="my laptop")
    page.click("#create-form .button")
    page.wait(lambda: page.texts("#keys .name")[:1] == ["my laptop"])
    key = page.run("return document.getElementById('made-key').value")
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{page.platform.url}/api/user"
    assert requests.get(url, headers=headers, timeout=60).json()["username"] == "ann"

    page.click("#keys .button")
    page.click("#confirm [value=keep]")
    assert requests.get(url, headers=headers, timeout=60).ok
    page.click("#keys .button")
    page.click("#confirm [value=revoke]")
    page.wait(lambda: "my laptop" not in page.texts("#keys .name"))
    assert requests.get(url, headers=headers, timeout=60).status_code == 403
    page.chromium.refresh()
    page.wait(lambda: page.texts("#profile-heading") == ["ann"])
    assert page.run("return document.getElementById('made-key').value") == ""

    key = page.run("return sessionStorage.getItem('fixie.key')")
    page.click("#sign-out")
    page.wait(lambda: page.texts("#password-form"))
    headers = {"Authorization": f"Bearer {key}"}
    assert requests.get(url, headers=headers, timeout=60).status_code == 403


def test_a_password_is_changed_on_the_page(page, platform: testing.Platform) -> None:
    url = platform.call("POST", "/api/users", {"username": "yan"})["invitation"]["url"]
    body = {"code": url.partition("code=")[2], "password": PASSWORD}
    requests.post(f"{platform.url}/api/invitations", json=body, timeout=60)
    page.chromium.get(f"{page.platform.url}/login?then=/profile")
    sign_in(page, "yan")
    page.click("#change-details summary")
    type_in(page, current_password=PASSWORD, next_password="another good password")
    page.click("#change-form .primary")
    page.wait(lambda: "was changed" in "".join(page.texts("#changed")))

    body = {"username": "yan", "password": "another good password"}
    assert requests.post(f"{platform.url}/api/sign-in", json=body, timeout=60).ok


class Waiting:
    """A command line that waits for somebody to sign in."""

    def __init__(self, url: str) -> None:
        self.outcome: str | errors.FixieError | None = None
        self._listener = Listener()
        self.flow = CodeFlow(url, self._listener.url)
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()

    def _wait(self) -> None:
        with self._listener:
            try:
                self.outcome = self._listener.wait(self.flow, 60)
            except errors.FixieError as failure:
                self.outcome = failure

    def join(self) -> str | errors.FixieError | None:
        self._thread.join(70)
        return self.outcome


def test_a_command_line_is_let_in(page, ann: str) -> None:
    page.expects_failures = True  # the browser asks the command line for an icon
    waiting = Waiting(page.platform.url)
    page.chromium.get(waiting.flow.page)
    sign_in(page, ann)
    page.wait(lambda: page.texts("#consent-user") == ["ann"])
    assert page.texts("#consent-place") == [waiting.flow.redirect_uri.removeprefix("http://")]
    page.click("#allow")
    page.wait(lambda: page.texts("h1") == ["You are signed in"])

    key = waiting.join()
    user = requests.get(
        f"{page.platform.url}/api/user", headers={"Authorization": f"Bearer {key}"}, timeout=60
    )
    assert user.json()["username"] == "ann"


def test_a_command_line_is_refused(page, ann: str) -> None:
    page.expects_failures = True
    waiting = Waiting(page.platform.url)
    page.chromium.get(waiting.flow.page)
    sign_in(page, ann)
    page.click("#refuse")
    page.wait(lambda: page.texts("h1") == ["You refused"])

    assert isinstance(waiting.join(), errors.Unauthenticated)


def test_a_program_elsewhere_is_let_in_by_nobody(page) -> None:
    page.expects_failures = True
    flow = CodeFlow(page.platform.url, "https://example.com/take")
    page.chromium.get(flow.page)
    page.wait(lambda: "not on this machine" in "".join(page.texts("#problem")))
    assert page.texts(".card") == []


def test_a_page_that_signed_in_long_ago_has_to_sign_in_again(
    page, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.expects_failures = True
    page.chromium.get(f"{page.platform.url}/login?then=/profile")
    sign_in(page, ann)
    page.wait(lambda: page.texts("#profile-heading"))
    monkeypatch.setattr("fixieai.platform.auth.FRESH_SECONDS", -1)
    type_in(page, key_name="for ever")
    page.click("#create-form .button")
    page.wait(lambda: "Sign in again" in "".join(page.texts("#sign-in-lead")))
    monkeypatch.undo()
    sign_in(page, ann)
    page.wait(lambda: page.texts("#profile-heading"))
    type_in(page, key_name="for ever")
    page.click("#create-form .button")
    page.wait(lambda: "for ever" in page.texts("#keys .name"))
