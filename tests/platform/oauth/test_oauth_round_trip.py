"""A person gives an agent permission at a provider: real servers all the way, and every way it goes wrong."""

import base64
import concurrent.futures
import contextlib
import html
import pathlib
import re
import urllib.parse

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import oauth_values, serving
from fixieai.platform.settings import Settings


def words(page: requests.Response) -> str:
    """What a person reads on the page."""
    assert page.headers["content-type"].startswith("text/html")
    body = page.text.partition("<main")[2].partition(">")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def state_of(address: str) -> str:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["state"][0]


STYLES = {
    "JSON": {},
    "form": {"is_form_encoded": True},
    "no expiry": {"expires_in": None},
    "no scope": {"says_scope": False},
    "form, neither": {"is_form_encoded": True, "expires_in": None, "says_scope": False},
}


@pytest.mark.parametrize("style", STYLES)
def test_from_the_link_to_the_diary(diary, provider, style: str) -> None:
    vars(provider.habits).update(STYLES[style])

    page = diary.connect()

    assert page.status_code == 200
    assert words(page).startswith(f"You are connected The agent local/{diary.handle} has the permission")
    assert "for local , a user of this platform" in words(page)
    assert diary.ask() == "Tea with the Queen."
    assert [form["grant_type"] for form in provider.granted.forms] == ["authorization_code"]
    assert provider.granted.forms[0]["redirect_uri"] == f"{diary.platform.url}/oauth"


def test_a_token_that_has_run_out_is_renewed_with_the_newest_refresh_token(diary, provider) -> None:
    provider.habits.expires_in = 1  # the SDK takes one of less than 30 seconds for run out
    diary.connect()

    answers = [diary.ask() for _ in range(3)]

    assert answers == ["Tea with the Queen."] * 3
    renewals = [
        form["refresh_token"] for form in provider.granted.forms if form["grant_type"] == "refresh_token"
    ]
    assert len(set(renewals)) == 3


def test_a_permission_that_was_taken_back_leads_to_a_new_link(diary, provider) -> None:
    provider.habits.expires_in = 1
    diary.connect()
    provider.granted.refresh_tokens.clear()

    link = diary.link()

    assert requests.get(link, timeout=60).status_code == 200
    assert diary.ask() == "Tea with the Queen."


def test_who_says_no_reads_that_and_is_asked_again_next_time(diary, provider) -> None:
    provider.habits.error = "access_denied"

    page = diary.connect()

    assert page.status_code == 200
    assert words(page).startswith(
        f"No permission was given The agent local/{diary.handle} cannot act for you"
    )
    assert provider.granted.forms == []
    provider.habits.error = None
    assert diary.connect().status_code == 200
    assert diary.ask() == "Tea with the Queen."


def test_a_provider_with_a_problem_of_its_own(diary, provider) -> None:
    provider.habits.error = "<b>temporarily_unavailable</b>"

    page = diary.connect()

    assert page.status_code == 502
    assert words(page).startswith("That did not work The service that you come from reported a problem")
    assert "temporarily" not in page.text


@pytest.mark.parametrize("error", [None, "access_denied", "server_error"])
def test_a_way_back_is_good_once(diary, provider, error: str | None) -> None:
    provider.habits.error = error
    way_back = diary.way_back()
    requests.get(way_back, timeout=60)
    asked = len(provider.granted.forms)

    again = requests.get(way_back.replace("error=", "code="), timeout=60)

    assert again.status_code == 404
    assert words(again).startswith("This link is no longer good")
    assert len(provider.granted.forms) == asked


def test_of_many_who_come_back_at_once_one_does(diary, provider) -> None:
    way_back = diary.way_back()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        pages = list(threads.map(lambda _: requests.get(way_back, timeout=60), range(8)))

    assert sorted(page.status_code for page in pages) == [200] + [404] * 7
    assert len(provider.granted.forms) == 1


def test_a_state_that_nobody_gave_out_is_no_good_and_costs_no_flow(diary, provider) -> None:
    way_back = diary.way_back()
    state = state_of(way_back)
    agent_id, _, secret = state.partition(":")
    others = [
        f"{agent_id}:",
        f"{agent_id}:x",
        f"local/other:{secret}",
        secret,
        state[:-1],
        state + "x",
        "x" * 9999,
    ]

    for other in others:
        page = requests.get(
            f"{diary.platform.url}/oauth", params={"state": other, "code": "code"}, timeout=60
        )
        assert (page.status_code, words(page)[:26]) == (404, "This link is no longer goo")

    assert provider.granted.forms == []
    assert requests.get(way_back, timeout=60).status_code == 200


def test_a_code_of_another_flow_is_refused_by_the_provider(diary, provider) -> None:
    """Somebody pastes a code that was given for another link: its verifier is another."""
    stolen = urllib.parse.parse_qs(urllib.parse.urlsplit(diary.way_back()).query)["code"][0]
    own = state_of(diary.way_back())

    page = requests.get(f"{diary.platform.url}/oauth", params={"state": own, "code": stolen}, timeout=60)

    assert page.status_code == 502
    assert words(page).startswith("That did not work You gave your permission, but")
    assert diary.ask() != "Tea with the Queen."


def test_the_newest_link_counts(diary) -> None:
    former, newest = diary.way_back(), diary.way_back()

    assert requests.get(former, timeout=60).status_code == 404
    assert requests.get(newest, timeout=60).status_code == 200


def test_a_link_ends_by_itself(diary, provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth_values, "FLOW_SECONDS", 0)

    page = diary.connect()

    assert (page.status_code, provider.granted.forms) == (404, [])


@pytest.mark.parametrize("status", [400, 500])
def test_a_provider_that_gives_no_token(diary, provider, status: int) -> None:
    provider.habits.token_status = status

    page = diary.connect()

    assert page.status_code == 502
    assert words(page).startswith("That did not work You gave your permission, but the agent")


def test_an_agent_that_went_away_meanwhile(diary, provider) -> None:
    way_back = diary.way_back()
    diary.platform.call("PUT", f"/api/agents/local/{diary.handle}", {"url": None})

    page = requests.get(way_back, timeout=60)

    assert page.status_code == 502
    assert words(page).startswith(
        "The agent cannot be reached You gave your permission, but the agent local/"
    )
    assert provider.granted.forms == []


def test_an_agent_that_was_deleted_meanwhile(diary, provider) -> None:
    way_back = diary.way_back()
    diary.platform.call("DELETE", f"/api/agents/local/{diary.handle}")

    page = requests.get(way_back, timeout=60)

    assert page.status_code == 502
    assert provider.granted.forms == []


ADDRESSES = [
    "",
    "?state=x",
    "?code=x",
    "?state=&code=x",
    "?state=x&code=",
    "?state=a&state=b&code=c",
    "?state=a&code=b&code=c",
]


@pytest.mark.parametrize("query", ADDRESSES)
def test_an_address_with_something_missing(platform, query: str) -> None:
    page = requests.get(f"{platform.url}/oauth{query}", timeout=60)

    assert page.status_code == 400
    assert words(page).startswith("Something is missing")


def test_the_page_repeats_nothing_and_runs_nothing(platform) -> None:
    evil = "<script>alert(1)</script>"

    page = requests.get(
        f"{platform.url}/oauth", params={"state": evil, "code": evil, "error": evil}, timeout=60
    )

    assert "alert" not in page.text
    assert "<script" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_what_looks_ahead_ends_no_flow(diary) -> None:
    way_back = diary.way_back()

    ahead = requests.head(way_back, timeout=60)

    assert (ahead.status_code, ahead.text) == (200, "")
    assert requests.get(way_back, timeout=60).status_code == 200


def test_a_page_elsewhere_cannot_bring_a_flow_back_in_the_background(diary) -> None:
    way_back = diary.way_back()
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}

    assert requests.get(way_back, headers=headers, timeout=60).status_code == 403
    assert requests.get(way_back, timeout=60).status_code == 200


def test_tokens_are_nowhere_on_the_disk_as_they_are(diary, provider, home: pathlib.Path) -> None:
    diary.connect()
    diary.ask()

    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())

    assert diary.handle.encode() in stored
    for secret in (
        *provider.granted.access_tokens,
        *provider.granted.refresh_tokens,
        provider.granted.forms[0]["code_verifier"],
    ):
        assert secret.encode() not in stored
        assert secret[8:].encode() not in stored


def test_permissions_go_with_an_agent_that_is_renamed(diary, make_diary) -> None:
    diary.connect()
    diary.platform.call("PATCH", f"/api/agents/local/{diary.handle}", {"newHandle": f"{diary.handle}-2"})

    diary.handle = f"{diary.handle}-2"
    diary.platform.serve(make_diary(), diary.handle)

    assert diary.ask() == "Tea with the Queen."


def test_permissions_are_gone_with_an_agent_that_is_deleted(diary, make_diary) -> None:
    diary.connect()
    diary.platform.call("DELETE", f"/api/agents/local/{diary.handle}")

    diary.platform.serve(make_diary(), diary.handle)

    assert diary.link()


def test_a_standalone_agent_connects_too(platform, provider) -> None:
    params = provider.params("diary.read")

    def answer(query: fixieai.Message, oauth_handler: fixieai.OAuthHandler) -> str:
        return "connected" if oauth_handler.user_token() else oauth_handler.get_authorization_url()

    platform.serve(fixieai.StandaloneAgent(answer, oauth_params=params), "lone")
    page = requests.get(platform.ask("lone", "Hello").text, timeout=60)

    assert (page.status_code, platform.ask("lone", "Hello").text) == (200, "connected")


def test_a_permission_survives_a_restart_and_is_asked_for_again_without_the_secret_key(
    provider, make_diary, tmp_path: pathlib.Path
) -> None:
    answers = []
    for key in (b"a", b"a", b"b"):
        secret = base64.b64encode(key * 32).decode()
        settings = Settings(
            home=tmp_path, port=0, models=ModelSettings(default_model="few-shot"), secret_key=secret
        )
        with contextlib.ExitStack() as stack:
            running = stack.enter_context(serving.background(settings))
            platform = testing.Platform(running.url, serving.local_key(tmp_path), stack)
            platform.serve(make_diary(), "diary")
            answer = platform.ask("diary", "What is in my diary?").text
            if answer.startswith("http"):
                assert requests.get(answer, timeout=60).status_code == 200
            answers.append(answer.partition("?")[0])

    assert answers == [f"{provider.url}/authorize", "Tea with the Queen.", f"{provider.url}/authorize"]
