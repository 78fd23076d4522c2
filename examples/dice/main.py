"""An agent that rolls dice."""

import random

import fixieai

BASE_PROMPT = "I roll virtual dice."

FEW_SHOTS = """
Q: Roll a d20
Ask Func[roll]: 20 1
Func[roll] says: 12
A: You rolled a 12!

Q: Roll 3d8
Ask Func[roll]: 8 3
Func[roll] says: 5 3 8
A: You rolled 5, 3, and 8, for a total of 16.
"""

agent = fixieai.CodeShotAgent(BASE_PROMPT, FEW_SHOTS)


@agent.register_func
def roll(query: fixieai.Message) -> str:
    """Rolls dice: the number of sides, then how many."""
    size, count = query.text.split()
    return " ".join(str(random.randint(1, int(size))) for _ in range(int(count)))


if __name__ == "__main__":
    agent.serve("dice")
