"""Language models whose calls are counted: refused at a limit, and paid for however they end."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from fixieai.errors import FixieError
from fixieai.llm import token_counts
from fixieai.llm.base import BorrowedModel, LanguageModel
from fixieai.platform.budgets import Budget
from fixieai.platform.usage import Tokens, Usage
from fixieai.protocol.prompts import Completion, LlmSettings, Prompt, Rendering
from fixieai.storage.usage import Spent

_EXPECTED_COMPLETION = 1_000


@dataclass(frozen=True, slots=True)
class Payer:
    """Who calls a model: an agent, for a person, within a query."""

    user_id: int
    agent_id: str
    budget: Budget


def metered(model: LanguageModel, usage: Usage, payer: Payer, note: Callable[[Spent], None]) -> LanguageModel:
    """`model`, as `payer` calls it; `note` is told what each call cost, to store it.

    The few-shot model is free.
    """
    if model.rendering is Rendering.TRANSCRIPT:
        return model
    return _MeteredModel(model, usage, payer, note)


class _MeteredModel(BorrowedModel):
    def __init__(
        self, model: LanguageModel, usage: Usage, payer: Payer, note: Callable[[Spent], None]
    ) -> None:
        super().__init__(model)
        self._usage = usage
        self._payer = payer
        self._note = note

    async def stream(
        self, prompt: Prompt, settings: LlmSettings, idempotency_key: str
    ) -> AsyncGenerator[str | Completion, None]:
        """See `LanguageModel.stream`.

        Raises:
            DailyLimitReached, LimitReached: before anything is sent.
        """
        payer = self._payer
        payer.budget.check()
        call = _Call(self.name, prompt, settings.maximum_tokens or _EXPECTED_COMPLETION)
        admission = await self._usage.admit(payer.user_id, payer.agent_id, call.expected)
        try:
            async with contextlib.aclosing(self._model.stream(prompt, settings, idempotency_key)) as pieces:
                async for piece in pieces:
                    call.add(piece)
                    yield piece
        except FixieError:
            call.has_failed = True
            raise
        finally:
            spent = admission.close(call.used())
            payer.budget.spend(spent.tokens)
            if spent.tokens:
                self._note(spent)


class _Call:
    """What one call may use at `most`, and is known to have used."""

    def __init__(self, model: str, prompt: Prompt, most: int) -> None:
        self._model = model
        self._prompt = prompt
        self._most = most
        self.has_failed = False
        self._said: list[str] = []
        self._completion: Completion | None = None

    def add(self, piece: str | Completion) -> None:
        if isinstance(piece, Completion):
            self._completion = piece
        else:
            self._said.append(piece)

    def expected(self) -> Tokens:
        return Tokens(self._model, self._asked(), self._most)

    def _asked(self) -> int:
        """Estimated, which takes a look at the whole prompt."""
        return token_counts.of_prompt(self._prompt)

    def used(self) -> Tokens:
        """As the server counted; estimated where it did not, or was not heard to the end."""
        completion = self._completion
        if completion is None:
            # A model that failed before its first word is not paid for.
            asked = 0 if self.has_failed and not any(self._said) else self._asked()
            return Tokens(self._model, asked, token_counts.of_text("".join(self._said)))
        written, call = completion.text, completion.tool_call
        if call is not None:
            written += call.name + call.arguments
        read, answered = completion.prompt_tokens, completion.completion_tokens
        return Tokens(
            completion.model or self._model,
            self._asked() if read is None else read,
            token_counts.of_text(written) if answered is None else answered,
        )
