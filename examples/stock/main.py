"""An agent that looks up stock prices at an HTTP service."""

import os

import requests

import fixieai

BASE_PROMPT = "I answer questions about stock prices. I never guess a price."

FEW_SHOTS = """
Q: What is the price of GOOG?
Ask Func[price]: GOOG
Func[price] says: 174.25
A: GOOG is at $174.25.

Q: Which is higher, GOOG or MSFT?
Ask Func[price]: GOOG
Func[price] says: 174.25
Ask Func[price]: MSFT
Func[price] says: 415.50
A: GOOG is at $174.25 and MSFT is at $415.50.
"""

agent = fixieai.CodeShotAgent(BASE_PROMPT, FEW_SHOTS)


@agent.register_func
def price(query: fixieai.Message) -> str:
    """The price of one ticker symbol, in dollars."""
    ticker = query.text.strip().upper()
    response = requests.get(f"{os.environ['QUOTES_URL']}/quote/{ticker}", timeout=5)
    if response.status_code == 404:
        return f"There is no stock called {ticker}."
    response.raise_for_status()
    return f"{response.json()['price']:.2f}"


if __name__ == "__main__":
    import quotes

    with quotes.running() as url:
        os.environ["QUOTES_URL"] = url
        agent.serve("stock")
