"""A platform with two people, and agents that say which one they are."""

import asyncio
import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from free_ports import free_port

import fixieai
from fixieai.agents import serving as agent_serving
from fixieai.agents import token
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.app import open_platform
from fixieai.platform.settings import Settings
from fixieai.web import server


@dataclass(frozen=True)
class Person:
    """Calls the platform with one person's key."""

    url: str
    key: str
    username: str

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=60)

    def get(self, path: str, method: str = "GET", body: Any = None) -> Any:
        response = self(method, path, body)
        assert response.ok, response.text
        return response.json()

    def ask(self, agent_id: str, text: str = "Hi") -> str:
        answer = self("POST", f"/api/agents/{agent_id}", {"message": {"text": text}}).json()
        return str(answer["message"]["text"])


@dataclass(frozen=True)
class World:
    """`ann` is the platform's local user."""

    ann: Person
    bob: Person
    serve: Callable[[str], str]
    home: pathlib.Path


async def _key_of_bob(home: pathlib.Path) -> str:
    async with open_platform(Settings(home=home)) as platform:
        return await platform.auth.create_api_key("bob", "tests")


def agent_that_says(word: str, platform_url: str) -> fixieai.StandaloneAgent:
    def say(query: fixieai.Message) -> str:
        return f"{word}: {query.text}"

    agent = fixieai.StandaloneAgent(say, sample_queries=[f"Say {word}"])
    agent._jwks_client = token.JwksClient(f"{platform_url}/.well-known/jwks.json")
    return agent


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("registry")
    key = asyncio.run(_key_of_bob(home))
    with contextlib.ExitStack() as stack:
        chosen = Settings(home=home, port=0, models=ModelSettings(default_model="few-shot"))
        running = stack.enter_context(serving.background(chosen))
        served: dict[str, str] = {}

        def serve(word: str) -> str:
            """The address of an agent that answers `word: <query>`."""
            if word not in served:
                app = agent_serving.guarded_app(agent_that_says(word, running.url), "127.0.0.1")
                agent = server.BackgroundServer(app, server.bind("127.0.0.1", 0))
                served[word] = stack.enter_context(agent).url
            return served[word]

        ann = Person(running.url, serving.local_key(home), "local")
        yield World(ann, Person(running.url, key, "bob"), serve, home)


@pytest.fixture
def person() -> Callable[[str, str], Person]:
    """The local user of a platform at that address, with that key."""
    return lambda url, key: Person(url, key, "local")


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    def wait(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.1)
        return condition()

    return wait


@pytest.fixture
def dead_url() -> str:
    """An address where nobody answers."""
    return f"http://127.0.0.1:{free_port()}"
