"""Agents that many tests ask."""

import fixieai

DICE_SHOTS = """
Q: Roll a d20
Ask Func[roll]: 20 1
Func[roll] says: 12
A: You rolled a 12!

Q: Roll 3d8
Ask Func[roll]: 8 3
Func[roll] says: 5 3 8
A: You rolled 5, 3, and 8, for a total of 16.
"""


def make_dice() -> fixieai.CodeShotAgent:
    agent = fixieai.CodeShotAgent("I roll virtual dice.", DICE_SHOTS)

    @agent.register_func
    def roll(query: fixieai.Message) -> str:
        size, count = query.text.split()
        return " ".join([size] * int(count))

    return agent


def make_greeter() -> fixieai.CodeShotAgent:
    """Each question needs a call of a func, with a token that the agent verifies."""
    agent = fixieai.CodeShotAgent(
        "I greet.", "Q: Hi\nAsk Func[greet]: now\nFunc[greet] says: Hello!\nA: Hello!"
    )

    @agent.register_func
    def greet(query: fixieai.Message) -> str:
        return "Hello!"

    return agent
