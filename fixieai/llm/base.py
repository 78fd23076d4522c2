"""What every language model offers: `stream` one call, `close` when the process ends."""

from collections.abc import AsyncGenerator
from typing import Protocol

from fixieai.protocol.prompts import Completion, LlmSettings, Prompt, Rendering


class LanguageModel(Protocol):
    """A language model at one provider."""

    @property
    def name(self) -> str:
        """`owner/model`, as shown to people."""

    @property
    def rendering(self) -> Rendering:
        """Which prompt `stream` takes."""

    def stream(
        self, prompt: Prompt, settings: LlmSettings, idempotency_key: str
    ) -> AsyncGenerator[str | Completion, None]:
        """Yields pieces of text as they arrive, and as the last item the whole Completion.

        The caller may stop reading early (`aclose`): the request is then dropped.

        Raises:
            ModelUnavailable: after retries; the message says what failed and what to do.
                After text was yielded it is `failures.AnswerBrokeOff`: what came is not the whole answer.
            ConfigurationError: a key is missing, or the model is unknown.
        """

    async def close(self) -> None:
        """Closes connections."""


class BorrowedModel:
    """A model of somebody else's, of which one thing is done differently: what `stream` is for."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def rendering(self) -> Rendering:
        return self._model.rendering

    async def close(self) -> None:
        """Does nothing: the model belongs to others."""
