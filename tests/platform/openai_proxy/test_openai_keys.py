"""Platforms that have no key for agents, or keep it."""

import contextlib
import pathlib

import openai
import pytest
from openai_agents import KEY, Agent, ask, proxied

from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import Settings
from fixieai.testing.model_server import ModelServer, Says


def test_the_offline_platform_calls_nobody() -> None:
    with ModelServer([Says("Hello")]) as server:
        variables = {
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_KEY": KEY,
            "FIXIE_DEFAULT_MODEL": "few-shot",
        }
        with testing.platform(ModelSettings.from_environment(variables)) as platform:
            agent = Agent(platform)
            agent.serve()
            with pytest.raises(openai.InternalServerError, match="offline"):
                ask(agent.client())
            agent.clients[0].close()
    assert server.requests == []


def test_a_platform_need_not_share_its_key(tmp_path: pathlib.Path) -> None:
    settings = Settings(
        home=tmp_path,
        port=0,
        models=ModelSettings(keys={"openai": KEY}, base_urls={"openai": "http://127.0.0.1:9/v1"}),
        shares_openai_key=False,
    )
    with serving.background(settings) as running, contextlib.ExitStack() as stack:
        agent = Agent(testing.platforms.Platform(running.url, serving.local_key(tmp_path), stack))
        agent.serve()
        with pytest.raises(openai.InternalServerError, match="does not share"):
            ask(agent.client())
        agent.clients[0].close()


def test_without_a_key_the_platform_says_what_to_do() -> None:
    with (
        proxied([Says("Hello")], key=None) as (agent, server),
        pytest.raises(openai.InternalServerError, match="OPENAI_API_KEY") as refusal,
    ):
        ask(agent.client().with_options(max_retries=2))

    assert refusal.value.status_code == 503
    assert server.requests == []
