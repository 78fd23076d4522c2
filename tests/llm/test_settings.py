"""Settings of models: read once from the environment, and refused by name when they cannot be read."""

import pytest

from fixieai.errors import ConfigurationError
from fixieai.llm.settings import CallLimits, ModelSettings
from fixieai.protocol.prompts import Rendering


def test_an_empty_environment_gives_the_defaults() -> None:
    assert ModelSettings.from_environment({}) == ModelSettings()


def test_everything_can_be_set() -> None:
    settings = ModelSettings.from_environment({
        "FIXIE_DEFAULT_MODEL": " openai/gpt-4o ",
        "FIXIE_FALLBACK_MODELS": "openai/a, ,few-shot",
        "FIXIE_LLM_RENDERING": "TEXT",
        "FIXIE_LLM_STREAM": "0",
        "FIXIE_LLM_CONNECT_SECONDS": "1",
        "FIXIE_LLM_FIRST_TOKEN_SECONDS": "2",
        "FIXIE_LLM_BETWEEN_TOKENS_SECONDS": "3",
        "FIXIE_LLM_TOTAL_SECONDS": "4.5",
        "FIXIE_LLM_RETRIES": "0",
        "FIXIE_LLM_LONGEST_WAIT_SECONDS": "5",
        "FIXIE_LLM_BASE_URL": "http://llm.example/v1/",
        "OPENAI_API_KEY": "k\n",
        "VLLM_BASE_URL": "https://vllm.example/v1",
    })  # fmt: skip
    assert settings == ModelSettings(
        "openai/gpt-4o",
        ("openai/a", "few-shot"),
        Rendering.TEXT,
        False,
        {"openai": "k"},
        {"custom": "http://llm.example/v1", "vllm": "https://vllm.example/v1"},
        CallLimits(1, 2, 3, 4.5, 0, longest_wait_seconds=5),
    )


def test_both_names_of_openais_base_url_are_read() -> None:
    old, new = {"OPENAI_API_BASE": "http://old"}, {"OPENAI_BASE_URL": "http://new"}
    assert ModelSettings.from_environment(old).base_url("openai") == "http://old"
    assert ModelSettings.from_environment({**old, **new}).base_url("openai") == "http://new"
    assert ModelSettings.from_environment({}).base_url("openai") == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FIXIE_LLM_RENDERING", "transcript"),
        ("FIXIE_LLM_RENDERING", "pretty"),
        ("FIXIE_LLM_STREAM", "yes"),
        ("FIXIE_LLM_TOTAL_SECONDS", "0"),
        ("FIXIE_LLM_TOTAL_SECONDS", "nan"),
        ("FIXIE_LLM_RETRIES", "-1"),
        ("FIXIE_LLM_RETRIES", "1.5"),
        ("FIXIE_LLM_BASE_URL", "ftp://x"),
        ("OLLAMA_BASE_URL", "localhost:11434"),
        ("OPENAI_API_KEY", "geheim\u0161"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        ModelSettings.from_environment({variable: value})
    assert "geheim" not in caught.value.message


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(
        ModelSettings(keys={"openai": "secret"}, base_urls={"custom": "http://u:secret@h"})
    )
