"""The chef knows the dish of the day, and asks the cellar for a wine."""

import fixieai

BASE_PROMPT = "I am the chef. I know what we cook; for wine I ask the cellar."

FEW_SHOTS = """
Q: What is the dish of the day?
Ask Func[dish]: today
Func[dish] says: mushroom risotto
A: The dish of the day is mushroom risotto.

Q: Recommend a dinner
Ask Agent[cellar]: Which wine goes with the dish of the day?
Agent[cellar] says: With mushroom risotto, take the Barolo.
A: My recommendation: With mushroom risotto, take the Barolo.
"""

agent = fixieai.CodeShotAgent(BASE_PROMPT, FEW_SHOTS)


@agent.register_func
def dish(query: fixieai.Message) -> str:
    """What the kitchen cooks today."""
    return "grilled trout"


if __name__ == "__main__":
    agent.serve("chef")
