"""The cellar knows the wines, and asks the chef what there is to eat."""

import fixieai

BASE_PROMPT = "I am the cellar. I know our wines; for the menu I ask the chef."

FEW_SHOTS = """
Q: Which wine goes with the dish of the day?
Ask Agent[chef]: What is the dish of the day?
Agent[chef] says: The dish of the day is mushroom risotto.
Ask Func[wine]: The dish of the day is mushroom risotto.
Func[wine] says: With mushroom risotto, take the Barolo.
A: With mushroom risotto, take the Barolo.
"""

WINES = {"risotto": "Barolo", "trout": "Riesling", "stew": "Rioja"}

agent = fixieai.CodeShotAgent(BASE_PROMPT, FEW_SHOTS)


@agent.register_func
def wine(query: fixieai.Message) -> str:
    """A wine for the dish that the text names."""
    dish = query.text.strip().removeprefix("The dish of the day is ").rstrip(".")
    bottle = next((wine for word, wine in WINES.items() if word in dish), "house red")
    return f"With {dish}, take the {bottle}."


if __name__ == "__main__":
    agent.serve("cellar")
