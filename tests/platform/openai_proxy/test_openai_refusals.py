"""What agents are refused, by the platform and by OpenAI."""

from typing import Any

import openai
import pytest
from openai_agents import KEY, Agent, ask, proxied

from fixieai import errors
from fixieai.platform import openai_calls
from fixieai.testing.model_server import BreaksOff, Fails, Hangs, ModelServer, Says


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "chat/completions"),
        ("POST", "models"),
        ("GET", "files"),
        ("POST", "moderations"),
        ("POST", "images/generations"),
        ("POST", "audio/speech"),
        ("GET", "engines"),
        ("GET", "models/../files"),
        ("GET", "models/%2e%2e/files"),
        ("DELETE", "models/scripted"),
        ("POST", "chat/completions/"),
        ("POST", "engines/x/y/completions"),
        ("POST", "engines/x/responses"),
        ("GET", "responses"),
        ("GET", "responses/resp_scripted"),
        ("DELETE", "responses/resp_scripted"),
        ("POST", "responses/resp_scripted/cancel"),
        ("POST", "responses/compact"),
        ("POST", "conversations"),
    ],
)
def test_everything_else_is_not_there(nobody: tuple[Agent, ModelServer], method: str, path: str) -> None:
    agent, server = nobody
    answer = agent.request(method, path, json={"model": "gpt-4o"})

    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "not_found", None)
    assert "passes on" in error["message"] or "is kept here" in error["message"]
    assert server.requests == []


@pytest.mark.parametrize(
    "path", ["models/..", "models/.", "models/...", "models/-", "models/é", "models/a/b"]
)
def test_what_is_no_name_of_a_model_is_not_fetched(path: str) -> None:
    with pytest.raises(errors.NotFound):
        openai_calls.fetched(path)


@pytest.mark.parametrize("body", [[], {}, {"model": 3}, {"model": "../files"}, {"model": "a b"}])
@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_a_body_that_names_no_model_is_refused(
    nobody: tuple[Agent, ModelServer], path: str, body: object
) -> None:
    agent, server = nobody
    answer = agent.post(path, body)

    assert answer.status_code == 422
    assert "model" in answer.json()["error"]["message"] or "object" in answer.json()["error"]["message"]
    assert server.requests == []


def test_the_package_understands_refusals(nobody: tuple[Agent, ModelServer]) -> None:
    agent, _ = nobody
    with pytest.raises(openai.NotFoundError, match="not 'moderations'") as refusal:
        agent.client().moderations.create(input="Hello")

    assert (refusal.value.type, refusal.value.code) == ("invalid_request_error", "not_found")


def test_only_a_query_token_opens_it() -> None:
    with proxied([Says("Hello")]) as (agent, _):
        for key in (agent.platform.api_key, "sk-fixie-openai-key", KEY):
            with pytest.raises(openai.PermissionDeniedError):
                ask(agent.client(key))


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_what_openai_refuses_is_passed_on_without_what_is_the_platforms(status: int) -> None:
    message = f"No, {KEY} of org-abcdefghijklmnop"
    with proxied([Fails(status, {"Retry-After": "7", "openai-organization": "org-x"}, message)]) as (
        agent,
        _,
    ):
        with pytest.raises(openai.APIStatusError) as refusal:
            ask(agent.client())
        assert agent.platform.call("GET", "/api/usage")["tokens"]["used"] == 0

    assert refusal.value.status_code == status
    assert "No, *** of ***" in str(refusal.value)
    assert refusal.value.response.headers["retry-after"] == "7"
    assert "openai-organization" not in refusal.value.response.headers


@pytest.mark.parametrize(
    "reply", [Fails(401, message=KEY), Fails(403), Hangs(), BreaksOff("Hello")], ids=repr
)
def test_what_goes_wrong_between_the_platform_and_openai_is_a_502(reply: Any) -> None:
    with proxied([reply], seconds=2) as (agent, _), pytest.raises(openai.InternalServerError) as refusal:
        ask(agent.client())

    assert refusal.value.status_code == 502
    assert KEY not in refusal.value.response.text
