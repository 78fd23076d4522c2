"""What a model call costs."""

import pathlib

import pytest

from fixieai import errors
from fixieai.llm.providers import DEFAULT_OPENAI_MODEL, PROVIDERS
from fixieai.platform import prices


def test_tokens_read_and_written_have_their_prices() -> None:
    table = prices.Prices({"openai/gpt": {"input": 0.5, "output": 2.0}})

    assert table.cost("openai/gpt", 1_000_000, 0) == 500_000_000
    assert table.cost("openai/gpt", 1, 1) == 2_500
    assert table.cost("openai/gpt-2026-01-31", 0, 1_000_000) == 2_000_000_000
    assert table.cost("openai/gpt-mini", 1_000_000, 0) == 0


def test_the_default_model_has_a_price_and_every_name_an_owner() -> None:
    own = prices.load()

    assert own.cost(DEFAULT_OPENAI_MODEL, 1_000_000, 1_000_000) > 0
    assert {name.partition("/")[0] for name in own.models} <= set(PROVIDERS)


@pytest.mark.parametrize("text", ["models = 3", "[models]\nx = { input = -1, output = 0 }", "not toml", None])
def test_a_file_that_is_no_table_is_named(tmp_path: pathlib.Path, text: str | None) -> None:
    file = tmp_path / "prices.toml"
    if text is not None:
        file.write_text(text, "utf-8")

    with pytest.raises(errors.ConfigurationError, match=r"FIXIE_PRICES.*prices\.toml"):
        prices.load(file)


def test_a_file_of_ones_own_takes_the_place_of_the_table(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('[models]\n"custom/llama" = { input = 1, output = 2.5 }\n', "utf-8")

    assert prices.load(file).cost("custom/llama", 2, 2) == 7_000
    assert prices.load(file).cost(DEFAULT_OPENAI_MODEL, 2, 2) == 0
