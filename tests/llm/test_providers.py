"""The table of providers, and names that have been retired."""

import logging

import pytest

from fixieai.llm.providers import PROVIDERS, parse_model_name


@pytest.mark.parametrize(
    ("name", "current"),
    [
        ("openai/text-davinci-003", "openai/gpt-6-luna"),
        ("openai/gpt-3.5-turbo", "openai/gpt-5.6-terra"),
        ("openai/gpt-4", "openai/gpt-5.6-sol"),
        ("ai21/j2-jumbo", "ai21/jamba-large"),
        ("gooseai/gpt-neo-20b", "gooseai/gpt-neo-20b"),
        ("openrouter/anthropic/claude-x:free", "openrouter/anthropic/claude-x:free"),
    ],
)
def test_names_of_the_original_lead_to_models_that_exist(name: str, current: str) -> None:
    assert parse_model_name(name).name == current


def test_a_retired_name_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        parse_model_name("openai/text-curie-001")
    assert caplog.text.count("openai/text-curie-001") == 1


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("openai/o3-mini", True),
        ("openai/gpt-5", True),
        ("openai/gpt-6.1-sol", True),
        ("openrouter/openai/gpt-5.6-sol", True),
        ("openai/gpt-5.3-chat-latest", False),
        ("openai/gpt-4o", False),
        ("ollama/olmo", False),
    ],
)
def test_reasoning_models_are_known(name: str, reasons: bool) -> None:
    assert parse_model_name(name).reasons is reasons


def test_every_provider_can_be_asked() -> None:
    for owner, provider in PROVIDERS.items():
        model = parse_model_name(f"{owner}/x")
        assert model.path.endswith("completions")
        assert provider.key_variable.endswith("_API_KEY")
        assert provider.base_url.startswith("http") or owner == "custom"
        assert not provider.base_url.endswith("/")
