import pathlib
from collections.abc import Iterator

import pytest

import fixieai
from fixieai import testing

HERE = pathlib.Path(__file__)
quotes = testing.load(HERE.with_name("quotes.py"))
stock = testing.load(HERE.with_name("main.py"))


@pytest.fixture(autouse=True)
def _exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with quotes.running() as url:
        monkeypatch.setenv("QUOTES_URL", url)
        yield


def test_a_price_comes_from_the_exchange() -> None:
    assert stock.price(fixieai.Message("AAPL")) == "226.75"


def test_an_unknown_ticker_is_said_to_be_unknown() -> None:
    assert "no stock called NOPE" in stock.price(fixieai.Message("nope"))


def test_a_question_about_another_stock_gets_its_price() -> None:
    answer = testing.ask(stock.agent, "What is the price of NVDA?")

    assert answer.text == "NVDA is at $138.00."
