"""Language models whose calls are counted by provider and outcome, and timed."""

import contextlib
import time
from collections.abc import AsyncGenerator

from fixieai.llm.base import LanguageModel
from fixieai.platform.metrics import Metrics, provider_of
from fixieai.protocol.prompts import Completion, LlmSettings, Prompt, Rendering


def measured(model: LanguageModel, metrics: Metrics) -> LanguageModel:
    return _MeasuredModel(model, metrics)


class _MeasuredModel:
    def __init__(self, model: LanguageModel, metrics: Metrics) -> None:
        self._model = model
        self._metrics = metrics

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def rendering(self) -> Rendering:
        return self._model.rendering

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

    async def close(self) -> None:
        """Does nothing: the model belongs to others."""
