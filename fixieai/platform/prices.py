"""What models cost, from a table with its date and sources (`prices.toml`)."""

import functools
import pathlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import pydantic
from typing_extensions import TypedDict

from fixieai import errors

_OWN_TABLE = pathlib.Path(__file__).with_name("prices.toml")
# `gpt-6-luna-2026-09-22` and `claude-haiku-4-5-20251001` are versions of the models without the date.
_VERSION = re.compile(r"-(?:\d{4}-\d\d-\d\d|\d{8}|latest)$")
_Dollars = Annotated[float, pydantic.Field(ge=0, le=1e6, allow_inf_nan=False)]


class Price(TypedDict):
    """US dollars per million tokens."""

    input: _Dollars
    output: _Dollars


class _Table(TypedDict):
    models: dict[str, Price]


_TABLE = pydantic.TypeAdapter(_Table)


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by the name of the model, `owner/model`."""

    models: Mapping[str, Price]

    def price(self, model: str) -> Price | None:
        """None when it is not known."""
        return self.models.get(model) or self.models.get(_VERSION.sub("", model))

    def cost(self, model: str, prompt_tokens: int, completion_tokens: int) -> int:
        """In 10**-9 of a US dollar; 0 for a model whose price is not known."""
        price = self.price(model)
        if price is None:
            return 0
        # A dollar for a million tokens is 1,000 nanodollars for one.
        return round(1_000 * (prompt_tokens * price["input"] + completion_tokens * price["output"]))


@functools.lru_cache(maxsize=8)
def load(path: pathlib.Path | None = None) -> Prices:
    """The package's own prices, or those of a file.

    Raises:
        ConfigurationError: the file cannot be read, or is no table of prices.
    """
    try:
        return Prices(
            _TABLE.validate_python(tomllib.loads((path or _OWN_TABLE).read_text("utf-8")))["models"]
        )
    except (OSError, ValueError) as error:  # also what pydantic and tomllib raise
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise errors.ConfigurationError(f"FIXIE_PRICES: {path} is no table of prices: {reason}") from None
