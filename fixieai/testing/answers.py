"""What a question was answered with, and how it came to that."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from fixieai.protocol.embeds import Embed

_EMBEDS = pydantic.TypeAdapter(dict[str, Embed])


@dataclass(frozen=True)
class Step:
    """A message between question and answer. `type` is as in the session: `ask_func`, `func_says`, ..."""

    type: str
    text: str
    sender: str


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    `partials` are the answer's beginnings as they were streamed; `error` is None, or the code of
    what went wrong, and then `text` says it for people. `model` is who answered.
    """

    text: str
    embeds: Mapping[str, Embed]
    steps: tuple[Step, ...]
    partials: tuple[str, ...]
    session: str
    model: str | None
    error: str | None

    def said(self, name: str) -> str:
        """What `Func[name]`, or else `Agent[name]`, said first.

        Raises:
            LookupError: nothing of that name was asked; the message lists the steps.
        """
        for prefix in (f"Func[{name}] says: ", f"Agent[{name}] says: "):
            for step in self.steps:
                if step.text.startswith(prefix):
                    return step.text.removeprefix(prefix)
        raise LookupError(f"{name} said nothing. The steps: {[step.text for step in self.steps]}")


def read(lines: Iterable[bytes]) -> Answer:
    """The stream of one query as an Answer."""
    steps: list[Step] = []
    partials: list[str] = []
    last: dict[str, Any] = {}
    for line in lines:
        last = json.loads(line)
        text = last["message"]["text"]
        if last["type"] != "response":
            steps.append(Step(last["type"], text, last["sentBy"]["handle"]))
        elif not last.get("final"):
            partials.append(text)
    error = last["error"]
    return Answer(
        text=last["message"]["text"],
        embeds=_EMBEDS.validate_python(last["message"]["embeds"]),
        steps=tuple(steps),
        partials=tuple(partials),
        session=last["session"],
        model=last.get("model"),
        error=error["code"] if error else None,
    )
