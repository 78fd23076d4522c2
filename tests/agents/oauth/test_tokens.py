"""A user's token: kept, renewed, taken back."""

import concurrent.futures
import json
import threading

import pytest
import requests_mock as requests_mocking
from oauth_provider import CLAIMS, JSON, Case, ago

from fixieai import constants
from fixieai.agents.oauth import OAuthError, OAuthHandler, OAuthParams


def test_without_a_token_there_is_none(case: Case) -> None:
    assert case.handler.user_token() is None


@pytest.mark.parametrize(
    "expiry", [None, ago(hours=-1), ago(hours=-1).removesuffix("+00:00")], ids=["none", "aware", "naive"]
)
def test_a_token_is_good_until_it_expires(case: Case, expiry: str | None) -> None:
    case.store_token(expiry=expiry)
    assert case.handler.user_token() == "old"
    assert case.provider.forms == []


@pytest.mark.parametrize(
    "expiry",
    [ago(seconds=1), ago(seconds=1).removesuffix("+00:00"), ago(seconds=-10)],
    ids=["aware", "naive", "nearly"],
)
def test_an_expired_token_is_none(case: Case, expiry: str) -> None:
    case.store_token(expiry=expiry)
    assert case.handler.user_token() is None


@pytest.mark.parametrize(
    ("granted", "kept"),
    [({"access_token": "new"}, "r"), ({"access_token": "new", "refresh_token": "rotated"}, "rotated")],
)
def test_an_expired_token_is_renewed(case: Case, granted: dict[str, str], kept: str) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [(200, JSON, json.dumps(granted | {"expires_in": 60}))]
    assert case.handler.user_token() == "new"
    assert case.handler.user_token() == "new"
    assert case.provider.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "r",
            "client_id": "the-id",
            "client_secret": "the-secret",
        }
    ]
    assert case.stored_token()["refresh_token"] == kept


@pytest.mark.parametrize("code", ["invalid_grant", "bad_refresh_token", "invalid_refresh_token"])
def test_a_permission_that_was_taken_back_is_none(case: Case, code: str) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [(400, JSON, json.dumps({"error": code}))]
    assert case.handler.user_token() is None


@pytest.mark.parametrize("answer", [(500, JSON, ""), (401, JSON, '{"error": "invalid_client"}')])
def test_a_provider_that_fails_is_not_a_permission_taken_back(
    case: Case, answer: tuple[int, str, str]
) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [answer]
    with pytest.raises(OAuthError):
        case.handler.user_token()
    assert case.stored_token()["refresh_token"] == "r"


def test_a_token_that_was_renewed_elsewhere_meanwhile_is_taken(case: Case) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    stored = case.handler._storage["_oauth_token"]
    case.store_token(access_token="renewed elsewhere")
    assert case.handler._token_renewed_elsewhere(stored) == "renewed elsewhere"


def test_a_token_that_another_process_is_about_to_store_is_waited_for(case: Case) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    case.provider.answers = [(400, JSON, '{"error": "invalid_grant"}')]  # the other one was faster
    storing = threading.Timer(0.25, case.store_token, kwargs={"access_token": "renewed elsewhere"})
    storing.start()
    assert case.handler.user_token() == "renewed elsewhere"
    storing.join()


def test_of_many_queries_at_once_one_renews(case: Case) -> None:
    case.store_token(expiry=ago(hours=1), refresh_token="r")
    granted = {"access_token": "new", "refresh_token": "rotated", "expires_in": 60}
    refused = (400, JSON, '{"error": "invalid_grant"}')
    case.provider.answers = [(200, JSON, json.dumps(granted)), refused]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(lambda _: case.handler.user_token(), range(8)))
    assert tokens == ["new"] * 8
    assert len(case.provider.forms) == 1


MALFORMED = [
    '"no json"', "5", "[]", '"null"', '"[]"', '"5"', '"{}"', json.dumps('{"access_token": "t"}'),
    json.dumps('{"access_token": 5, "expiry": null, "refresh_token": null}'),
    json.dumps('{"access_token": "t", "expiry": "soon", "refresh_token": null}'),
    json.dumps('{"access_token": "t", "expiry": 5, "refresh_token": null}'),
    json.dumps('{"access_token": "t", "expiry": null, "refresh_token": 5}'),
]  # fmt: skip


@pytest.mark.parametrize("stored", MALFORMED)
def test_what_is_not_a_token_is_deleted(case: Case, stored: str) -> None:
    case.provider.stored["_oauth_token"] = stored
    assert case.handler.user_token() is None
    assert case.provider.stored == {}


def test_requests_mock_answers_for_the_provider(requests_mock: requests_mocking.Mocker) -> None:
    handler = OAuthHandler(OAuthParams("i", "s", "https://p.example/a", "https://p.example/t", ["x"]), CLAIMS)
    base = f"{constants.FIXIE_USER_STORAGE_URL}/owner/agent"
    stored = json.dumps({"access_token": "old", "expiry": ago(hours=1), "refresh_token": "r"})
    requests_mock.get(f"{base}/_oauth_token", json={"data": json.dumps(stored)})
    requests_mock.post(f"{base}/_oauth_token", json={})
    requests_mock.post("https://p.example/t", json={"access_token": "new"})
    assert handler.user_token() == "new"
