"""A model that answers from an agent's few-shots alone: offline, without a key, always the same.

It finds the example whose question is most like the person's, takes its steps with this question's
words in them, and fills what funcs and agents say into the example's answer. It knows nothing
else, and says so when asked something else. That makes it a demo, a regression test of an agent's
own few-shots, and what tests and documentation run on.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache

from fixieai.llm.by_example.book import Book
from fixieai.llm.by_example.exchanges import Exchange, exchanges
from fixieai.llm.providers import FEW_SHOT
from fixieai.protocol.prompts import Completion, LlmSettings, Prompt, Rendering, TranscriptPrompt
from fixieai.protocol.transcript import Line, LineKind, Transcript, render

_AGENTS_REMEMBERED = 256
_SUGGESTIONS = 3
_CHARACTERS_OF_A_SUGGESTION = 120
_WORD_AND_SPACE = re.compile(r"\S{1,200}\s*|\s+")

_NO_EXAMPLES = (
    "I am the offline few-shot model: I answer by imitating an agent's few-shots, and this agent has none. "
    "Give the platform a language model, for example by setting OPENAI_API_KEY."
)
_NOT_LIKE_THESE = (
    "I am the offline few-shot model: I only answer questions that are like this agent's examples. Try:"
)
_NO_REPLY = "There was no answer."

_PlainLine = tuple[LineKind, str, str]


class FewShotModel:
    """The model called `few-shot`. It never fails, and keeps nothing between calls but prepared examples."""

    @property
    def name(self) -> str:
        return FEW_SHOT

    @property
    def rendering(self) -> Rendering:
        return Rendering.TRANSCRIPT

    async def stream(
        self,
        prompt: Prompt,
        settings: LlmSettings,
        idempotency_key: str,
    ) -> AsyncGenerator[str | Completion, None]:
        """The next step in protocol text, word by word. The last item is the Completion."""
        if not isinstance(prompt, TranscriptPrompt):
            raise TypeError("the few-shot model reads the transcript rendering")
        text = next_step(prompt.transcript)
        for piece in _WORD_AND_SPACE.findall(text):
            yield piece
        yield Completion(text, model=self.name)

    async def close(self) -> None:
        """Does nothing: there are no connections."""


def next_step(transcript: Transcript) -> str:
    """What comes next as protocol text: thoughts and an Ask, or thoughts and the answer."""
    current = _current(transcript.lines)
    book = _book(
        transcript.base_prompt,
        tuple(tuple((line.kind, line.text, line.name) for line in shot) for shot in transcript.few_shots),
    )
    lines = book.next_lines(current)
    if lines is None:
        # A reply that fits no example is passed on as it is: an error message, mostly.
        text = current.steps[-1].reply.strip() or _NO_REPLY if current.steps else _apology(book)
        lines = [Line(LineKind.RESPONSE, text)]
    return render(lines)


@lru_cache(maxsize=_AGENTS_REMEMBERED)
def _book(base_prompt: str, few_shots: tuple[tuple[_PlainLine, ...], ...]) -> Book:
    """Keyed by what matters of the lines: a `Line` has embeds, which have no hash."""
    return Book(base_prompt, [tuple(Line(*line) for line in shot) for shot in few_shots])


def _current(lines: Sequence[Line]) -> Exchange:
    """The exchange that is not answered yet, with the one before it."""
    questions = [position for position, line in enumerate(lines) if line.kind is LineKind.QUERY]
    if not questions:
        return Exchange("")
    return exchanges(lines[questions[-2:][0] :])[-1]


def _apology(book: Book) -> str:
    questions = dict.fromkeys(" ".join(example.exchange.question.split()) for example in book.examples)
    if not questions:
        return _NO_EXAMPLES
    shown = [
        question
        if len(question) <= _CHARACTERS_OF_A_SUGGESTION
        else f"{question[:_CHARACTERS_OF_A_SUGGESTION]}…"
        for question in questions
    ]
    return "\n".join((_NOT_LIKE_THESE, *(f"- {question}" for question in shown[:_SUGGESTIONS])))
