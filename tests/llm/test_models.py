"""Which model answers: what the agent asks for, what the operator sets, what there is."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from fixieai.errors import ConfigurationError
from fixieai.llm.local_servers import ModelList
from fixieai.llm.models import Models
from fixieai.llm.settings import ModelSettings
from fixieai.protocol.prompts import Rendering
from fixieai.testing.model_server import ModelServer, Says

pytestmark = pytest.mark.anyio

NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def ollama() -> Iterator[ModelServer]:
    with ModelServer([Says("fine")], models=("nomic-embed-text:latest", "llama3.2:3b", "qwen3")) as server:
        yield server


async def test_without_anything_the_few_shot_model_answers(open_models) -> None:
    model = await open_models(OLLAMA_BASE_URL=NOBODY).choose(None)
    assert (model.name, model.rendering) == ("few-shot", Rendering.TRANSCRIPT)


async def test_a_local_ollama_comes_before_the_few_shot_model(open_models, ollama: ModelServer) -> None:
    model = await open_models(OLLAMA_BASE_URL=ollama.base_url).choose(None)
    assert (model.name, model.rendering) == ("ollama/llama3.2:3b", Rendering.TEXT)


async def test_openai_comes_before_ollama(open_models, ollama: ModelServer) -> None:
    model = await open_models(OLLAMA_BASE_URL=ollama.base_url, OPENAI_API_KEY="k").choose(None)
    assert (model.name, model.rendering) == ("openai/gpt-6-luna", Rendering.TOOLS)


async def test_a_server_of_ones_own_comes_before_openai(open_models, ollama: ModelServer) -> None:
    model = await open_models(FIXIE_LLM_BASE_URL=ollama.base_url, OPENAI_API_KEY="k").choose(None)
    assert model.name == "custom/llama3.2:3b"


async def test_the_default_model_comes_before_what_there_is(open_models) -> None:
    models = open_models(FIXIE_DEFAULT_MODEL="gemini/gemini-3-flash", GEMINI_API_KEY="k", OPENAI_API_KEY="k")
    assert (await models.choose(None)).name == "gemini/gemini-3-flash"


async def test_an_agent_gets_the_model_it_names(open_models) -> None:
    models = open_models(FIXIE_DEFAULT_MODEL="openai/gpt-4o", OPENAI_API_KEY="k")
    assert (await models.choose("openai/gpt-5.6-sol")).name == "openai/gpt-5.6-sol"
    assert (await models.choose("few-shot")).name == "few-shot"


async def test_few_shot_as_the_default_overrules_every_agent(open_models) -> None:
    models = open_models(FIXIE_DEFAULT_MODEL="few-shot", OPENAI_API_KEY="k")
    assert (await models.choose("openai/gpt-4o")).name == "few-shot"


async def test_a_missing_key_says_which_and_what_needs_none(open_models) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_models().choose("openai/gpt-4o")
    assert len(caught.value.message.split("\n")) <= 3
    assert "OPENAI_API_KEY" in caught.value.message
    assert "FIXIE_DEFAULT_MODEL=few-shot" in caught.value.message


@pytest.mark.parametrize(
    "name", ["gpt-4o", "nobody/gpt-4o", "openai/", "openai/../x", "openai/a b", "a\nb/c"]
)
async def test_an_unknown_model_says_how_models_are_named(open_models, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_models(OPENAI_API_KEY="k").choose(name)
    assert "owner/model" in caught.value.message
    assert len(caught.value.message.split("\n")) == 3


async def test_a_server_of_ones_own_that_is_away_is_no_reason_to_ask_another(open_models) -> None:
    models = open_models(FIXIE_LLM_BASE_URL="http://user:secret@127.0.0.1:9/v1", OPENAI_API_KEY="k")
    with pytest.raises(ConfigurationError, match="FIXIE_LLM_BASE_URL") as caught:
        await models.choose(None)
    assert "secret" not in caught.value.message


async def test_custom_without_a_base_url_says_what_to_set(open_models) -> None:
    with pytest.raises(ConfigurationError, match="FIXIE_LLM_BASE_URL"):
        await open_models().choose("custom/x")


async def test_the_rendering_can_be_set_for_chat_models(open_models) -> None:
    models = open_models(FIXIE_LLM_RENDERING="tools", GOOSEAI_API_KEY="k", OPENAI_API_KEY="k")
    assert (await models.choose("ollama/llama3")).rendering is Rendering.TOOLS
    assert (await models.choose("gooseai/gpt-neo-20b")).rendering is Rendering.TEXT


async def test_a_model_is_made_once(open_models) -> None:
    models = open_models(OPENAI_API_KEY="k")
    assert await models.choose("openai/gpt-4o") is await models.choose("openai/gpt-4o")
    first = await models.choose("openai/gpt-4o")
    for number in range(300):
        await models.choose(f"openai/gpt-{number}")
    assert await models.choose("openai/gpt-4o") is not first


async def test_a_server_that_takes_its_time_is_not_waited_for_and_not_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        listed = ModelList(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", None, 0.1)
        started = time.monotonic()
        assert await listed.first_model() is None
        assert 0.05 < time.monotonic() - started < 20
        with contextlib.suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
        assert await listed.first_model() is None
        with pytest.raises(BlockingIOError):
            silent.accept()


async def test_closing_twice_is_fine() -> None:
    models = Models(ModelSettings())
    await models.close()
    await models.close()
