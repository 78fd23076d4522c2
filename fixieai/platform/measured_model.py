"""Language models whose calls are counted by provider and outcome, and timed."""

import contextlib
import time
from collections.abc import AsyncGenerator

from fixieai.llm.base import BorrowedModel, LanguageModel
from fixieai.platform.metrics import Metrics, provider_of
from fixieai.protocol.prompts import Completion, LlmSettings, Prompt


def measured(model: LanguageModel, metrics: Metrics) -> LanguageModel:
    return _MeasuredModel(model, metrics)


class _MeasuredModel(BorrowedModel):
    def __init__(self, model: LanguageModel, metrics: Metrics) -> None:
        super().__init__(model)
        self._metrics = metrics

    async def stream(
        self, prompt: Prompt, settings: LlmSettings, idempotency_key: str
    ) -> AsyncGenerator[str | Completion, None]:
        """See `LanguageModel.stream`."""
        provider, began = provider_of(self.name), time.monotonic()
        stream = contextlib.aclosing(self._model.stream(prompt, settings, idempotency_key))
        is_first = True
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._metrics.model_call(provider))
            async for piece in await stack.enter_async_context(stream):
                if is_first:
                    is_first = False
                    self._metrics.model_first_seconds.observe(time.monotonic() - began, provider)
                yield piece
