"""A scripted model server, and models that ask it, as settings in the environment make them."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from fixieai.llm import openai_client  # noqa: F401 - half a second that no time limit of a test should hold
from fixieai.llm.base import LanguageModel
from fixieai.llm.models import Models
from fixieai.llm.settings import ModelSettings
from fixieai.testing.model_server import ModelServer, Script

# Long enough for a busy machine; tests of what takes too long shorten them further.
SHORT_LIMITS = {
    "FIXIE_LLM_CONNECT_SECONDS": "5",
    "FIXIE_LLM_FIRST_TOKEN_SECONDS": "5",
    "FIXIE_LLM_BETWEEN_TOKENS_SECONDS": "5",
    "FIXIE_LLM_TOTAL_SECONDS": "15",
    "FIXIE_LLM_LONGEST_WAIT_SECONDS": "0.02",
}


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ModelServer]]:
    """Starts a model server with a script."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(ModelServer(script))


@pytest.fixture
async def open_models() -> AsyncIterator[Callable[..., Models]]:
    """The models of an environment, given as keywords, with short limits."""
    async with contextlib.AsyncExitStack() as stack:

        def open_with(**environment: str) -> Models:
            models = Models(ModelSettings.from_environment({**SHORT_LIMITS, **environment}))
            stack.push_async_callback(models.close)
            return models

        yield open_with


@pytest.fixture
def model_at(open_models: Callable[..., Models]) -> Callable[..., Awaitable[LanguageModel]]:
    """The model `name` where every provider with a key is the given server."""

    def ask_for(
        server: ModelServer, name: str = "custom/scripted", **environment: str
    ) -> Awaitable[LanguageModel]:
        urls = {
            f"{owner}_BASE_URL": server.base_url for owner in ("FIXIE_LLM", "OPENAI", "GOOSEAI", "OLLAMA")
        }
        keys = {"OPENAI_API_KEY": "sk-secret-0123456789", "GOOSEAI_API_KEY": "goose"}
        return open_models(**{**urls, **keys, **environment}).choose(name)

    return ask_for
