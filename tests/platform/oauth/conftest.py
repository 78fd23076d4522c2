"""An OAuth provider, a platform, and an agent that reads a diary for its owner."""

import contextlib
import functools
import pathlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import Settings

SHOTS = """
Q: What is in my diary?
Ask Func[diary]: today
Func[diary] says: Dentist at ten.
A: Dentist at ten.
"""


@dataclass
class Diary:
    """The agent, as one person meets it."""

    platform: testing.Platform
    provider: testing.OAuthProvider
    handle: str

    def ask(self) -> str:
        return self.platform.ask(self.handle, "What is in my diary?").text

    def link(self) -> str:
        link = self.ask()
        assert link.startswith(f"{self.provider.url}/authorize?"), link
        return link

    def way_back(self) -> str:
        """Where the provider sends the person to."""
        return requests.get(self.link(), allow_redirects=False, timeout=60).headers["Location"]

    def connect(self) -> requests.Response:
        return self.provider.visit(self.link())


def new_diary(provider: testing.OAuthProvider) -> fixieai.CodeShotAgent:
    params = provider.params("diary.read", "diary.list")
    agent = fixieai.CodeShotAgent("I read diaries.", SHOTS, oauth_params=params)

    @agent.register_func
    def diary(query: fixieai.Message, oauth_handler: fixieai.OAuthHandler) -> str:
        token = oauth_handler.user_token()
        if token is None:
            return oauth_handler.get_authorization_url()
        return "Tea with the Queen." if provider.accepts(token) else "No such token."

    return agent


@pytest.fixture
def provider() -> Iterator[testing.OAuthProvider]:
    with testing.OAuthProvider() as provider:
        yield provider


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("oauth-platform")


@pytest.fixture(scope="session")
def platform(home: pathlib.Path) -> Iterator[testing.Platform]:
    """With a home that tests can look into."""
    models = ModelSettings(default_model="few-shot")
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving.background(Settings(home=home, port=0, models=models)))
        yield testing.Platform(running.url, serving.local_key(home), stack)


@pytest.fixture
def make_diary(provider: testing.OAuthProvider) -> Callable[[], fixieai.CodeShotAgent]:
    """An agent that reads people's diaries at the provider."""
    return functools.partial(new_diary, provider)


@pytest.fixture
def diary(
    platform: testing.Platform,
    provider: testing.OAuthProvider,
    make_diary: Callable[[], fixieai.CodeShotAgent],
) -> Diary:
    handle = f"diary-{secrets.token_hex(4)}"
    platform.serve(make_diary(), handle)
    return Diary(platform, provider, handle)
