"""Invitations, the passwords that they set, and signing in with those."""

import concurrent.futures
import urllib.parse
from collections.abc import Callable

import pytest
import requests
from account_requests import PASSWORD, accept, bearer, post

from fixieai import testing
from fixieai.platform import authorizations


def test_an_invitation_sets_a_password_once_and_the_password_signs_in(own: testing.Platform) -> None:
    added = own.call("POST", "/api/users", {"username": "dora", "email": "dora@example.com"})
    url = added["invitation"]["url"]
    assert url.startswith(f"{own.url}/welcome#user=dora&code=")
    assert not added["hasPassword"]
    assert post(own, "/api/sign-in", {"username": "dora", "password": PASSWORD}).status_code == 403
    assert accept(own, url, "short").status_code == 422

    welcomed = accept(own, url)
    assert welcomed.status_code == 201
    assert accept(own, url).status_code == 403
    signed_in = post(own, "/api/sign-in", {"username": "dora", "password": PASSWORD})
    assert (signed_in.status_code, signed_in.headers["Cache-Control"]) == (201, "no-store")
    for answer in (welcomed, signed_in):
        page = testing.Platform(own.url, answer.json()["key"], None)  # type: ignore[arg-type]
        user = page.call("GET", "/api/user")
        assert (user["username"], user["hasPassword"], user["invitedUntil"]) == ("dora", True, None)
    assert own.call("GET", "/api/sign-in") == {"passwords": True}


def test_a_new_invitation_ends_the_one_before_and_a_new_password_all_pages(own: testing.Platform) -> None:
    first = own.call("POST", "/api/users", {"username": "eric"})["invitation"]["url"]
    second = own.call("POST", "/api/users/eric/invitation")["invitation"]["url"]
    assert accept(own, first).status_code == 403
    page = accept(own, second).json()["key"]

    third = own.call("POST", "/api/users/eric/invitation")["invitation"]["url"]
    assert accept(own, third, "another good password").status_code == 201

    assert requests.get(own.url + "/api/user", headers=bearer(page), timeout=60).status_code == 403
    assert post(own, "/api/sign-in", {"username": "eric", "password": PASSWORD}).status_code == 403


def test_a_password_is_changed_by_who_knows_it(own: testing.Platform) -> None:
    url = own.call("POST", "/api/users", {"username": "fay"})["invitation"]["url"]
    page = accept(own, url).json()["key"]

    def change(current: str, new: str) -> requests.Response:
        body = {"current": current, "new": new}
        return requests.put(own.url + "/api/password", json=body, headers=bearer(page), timeout=60)

    assert change("something else", "another good password").status_code == 403
    assert change(PASSWORD, "aaaaaaaaaaaa").status_code == 422
    changed = change(PASSWORD, "another good password")
    assert changed.status_code == 201
    assert requests.get(own.url + "/api/user", headers=bearer(page), timeout=60).status_code == 403
    assert requests.get(own.url + "/api/user", headers=bearer(changed.json()["key"]), timeout=60).ok


def test_signing_out_ends_the_page_and_no_api_key(own: testing.Platform, ann: testing.Platform) -> None:
    url = own.call("POST", "/api/users", {"username": "gil"})["invitation"]["url"]
    page = accept(own, url).json()["key"]

    assert post(own, "/api/sign-out", None, page).status_code == 204
    assert requests.get(own.url + "/api/user", headers=bearer(page), timeout=60).status_code == 403

    code = ann.call("POST", "/api/browser-codes")["code"]
    linked = post(own, "/api/browser-keys", {"code": code}).json()["key"]
    for key in (linked, ann.api_key):
        assert post(own, "/api/sign-out", None, key).status_code == 204
    assert ann.call("GET", "/api/user")["username"] == "ann"


def test_guessing_gets_slow_whether_there_is_such_a_person_or_not(
    own: testing.Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that it is not over before the last try, however slow the machine is.
    monkeypatch.setattr("fixieai.platform.attempts._FIRST_WAIT_SECONDS", 60.0)

    def tries(username: str) -> list[int]:
        body = {"username": username, "password": "a wrong password"}
        return [post(own, "/api/sign-in", body).status_code for _ in range(7)]

    for name in ("bob", "nobody-at-all"):
        assert tries(name) == [403] * 5 + [429] * 2
    refused = post(own, "/api/sign-in", {"username": "bob", "password": "x"})
    assert int(refused.headers["Retry-After"]) >= 1


def at_once(function: Callable[[], requests.Response]) -> list[int]:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return sorted(future.result().status_code for future in [pool.submit(function) for _ in range(8)])


def test_what_works_once_works_once_when_tried_at_once(own: testing.Platform) -> None:
    url = own.call("POST", "/api/users", {"username": "max"})["invitation"]["url"]
    assert at_once(lambda: accept(own, url)) == [201] + [403] * 7

    query = urllib.parse.urlencode(
        {"client_id": authorizations.CLIENT_ID, "redirect_uri": "http://localhost:5", "response_type": "code"}
    )
    code = own.call("POST", f"/api/authorizations?{query}")["goTo"].partition("code=")[2]
    form = {
        "grant_type": "authorization_code",
        "client_id": authorizations.CLIENT_ID,
        "redirect_uri": "http://localhost:5",
        "code": code,
    }
    exchange = f"{own.url}/access/token"
    assert at_once(lambda: requests.post(exchange, data=form, timeout=60)) == [200] + [400] * 7

    body = {"username": "ned"}
    assert at_once(lambda: post(own, "/api/users", body, own.api_key)) == [201] + [409] * 7
