"""The agents that are asked. Argument: which one."""

import asyncio
import sys

import fixieai

SLOW_SECONDS = 0.3
_FEW_SHOTS = """
Q: Roll a d20
Ask Func[roll]: 20 1
Func[roll] says: 12
A: You rolled a 12!

Q: Roll 3d8
Ask Func[roll]: 8 3
Func[roll] says: 5 3 8
A: You rolled 5, 3, and 8, for a total of 16.
"""


def dice() -> fixieai.CodeShotAgent:
    agent = fixieai.CodeShotAgent("I roll virtual dice.", _FEW_SHOTS)

    @agent.register_func
    async def roll(query: fixieai.Message) -> str:
        return "12"

    @agent.register_func
    def roll_sync(query: fixieai.Message) -> str:
        return "12"

    return agent


def slow() -> fixieai.CodeShotAgent:
    """Rolls dice that take `SLOW_SECONDS` to come to rest."""
    agent = fixieai.CodeShotAgent("I roll virtual dice.", _FEW_SHOTS)

    @agent.register_func
    async def roll(query: fixieai.Message) -> str:
        await asyncio.sleep(SLOW_SECONDS)
        return "12"

    return agent


def chat() -> fixieai.CodeShotAgent:
    """Shown the conversation so far, and calls nothing."""
    return fixieai.CodeShotAgent("I roll virtual dice.", [], conversational=True)


if __name__ == "__main__":
    {"dice": dice, "slow": slow, "chat": chat}[sys.argv[1]]().serve(port=0)
