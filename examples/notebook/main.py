"""An agent that remembers things for each person apart."""

import fixieai

BASE_PROMPT = "I keep a notebook for you. I only know what you asked me to remember."

FEW_SHOTS = """
Q: Remember that my dog is called Rex
Ask Func[remember]: my dog is called Rex
Func[remember] says: That is note 1.
A: I will remember that my dog is called Rex. That is note 1.

Q: What do you know about me?
Ask Func[recall]: everything
Func[recall] says: my dog is called Rex
A: You told me: my dog is called Rex

Q: Forget everything
Ask Func[forget]: everything
Func[forget] says: 1 note is gone.
A: Done: 1 note is gone.
"""

agent = fixieai.CodeShotAgent(BASE_PROMPT, FEW_SHOTS)


@agent.register_func
def remember(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
    """Adds one note to the person's notebook."""
    notes = user_storage.get("notes") or []
    notes.append(query.text)
    user_storage["notes"] = notes
    return f"That is note {len(notes)}."


@agent.register_func
def recall(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
    """All notes of the person."""
    return "; ".join(user_storage.get("notes") or []) or "nothing yet"


@agent.register_func
def forget(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
    """Empties the person's notebook."""
    count = len(user_storage.get("notes") or [])
    user_storage["notes"] = []
    return f"{count} {'note is' if count == 1 else 'notes are'} gone."


if __name__ == "__main__":
    agent.serve("notebook")
