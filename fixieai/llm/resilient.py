"""A list of models as one: time limits, retries and fallbacks around each call.

Nothing is tried again once text was passed on, because the reader cannot take it back: a stream
that breaks in the middle raises AnswerBrokeOff, and what came is never given as a Completion.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from fixieai.errors import ConfigurationError, ModelUnavailable
from fixieai.llm.base import LanguageModel
from fixieai.llm.failures import AnswerBrokeOff, TransientFailure
from fixieai.llm.settings import CallLimits
from fixieai.protocol.prompts import Completion, LlmSettings, Prompt, Rendering

_logger = logging.getLogger(__name__)


class ResilientModel:
    """The first model, and those to fall back to. All read the same rendering.

    An idempotency key is the same for every try of one model, and differs between models.
    """

    def __init__(self, models: tuple[LanguageModel, ...], limits: CallLimits) -> None:
        if len({model.rendering for model in models}) != 1:
            raise ValueError("a prompt is rendered once: models to fall back to must read the same rendering")
        self._models = models
        self._limits = limits

    @property
    def name(self) -> str:
        return self._models[0].name

    @property
    def rendering(self) -> Rendering:
        return self._models[0].rendering

    async def stream(
        self, prompt: Prompt, settings: LlmSettings, idempotency_key: str
    ) -> AsyncGenerator[str | Completion, None]:
        """See `LanguageModel.stream`.

        Raises:
            AnswerBrokeOff: after text was yielded, with time left to ask again.
            ModelUnavailable: nothing helps any more.
        """
        deadline = _now() + self._limits.total_seconds
        failures: list[ModelUnavailable | ConfigurationError] = []
        for position, model in enumerate(self._models):  # noqa: PLR1702 - an async generator delegates in no fewer blocks
            if failures and _now() >= deadline:
                break
            key = f"{idempotency_key}:{position}" if position else idempotency_key
            call = _Call(model, prompt, settings, key, self._limits, deadline)
            try:
                async with contextlib.aclosing(call.tries()) as pieces:
                    async for piece in pieces:
                        yield piece
            except AnswerBrokeOff:
                raise
            except (ModelUnavailable, ConfigurationError) as failure:
                failures.append(failure)
                _logger.warning("%s", failure.message)
            else:
                return
        raise _all_failed(failures)

    async def close(self) -> None:
        for model in self._models:
            await model.close()


@dataclass(slots=True)
class _Call:
    """One call to one model, tried until something was passed on. `deadline` is the event loop's time."""

    model: LanguageModel
    prompt: Prompt
    settings: LlmSettings
    idempotency_key: str
    limits: CallLimits
    deadline: float
    has_begun: bool = False

    async def tries(self) -> AsyncGenerator[str | Completion, None]:
        tried = 0
        while True:  # noqa: PLR1702 - an async generator delegates in no fewer blocks
            try:
                async with contextlib.aclosing(self._once()) as pieces:
                    async for piece in pieces:
                        yield piece
            except ModelUnavailable as failure:
                if self.has_begun:
                    raise self._broke_off(failure) from None
                wait = self._wait(failure, tried)
                if wait is None:
                    raise
            else:
                return
            tried += 1
            await asyncio.sleep(wait)

    async def _once(self) -> AsyncGenerator[str | Completion, None]:
        patience = self.limits.first_token_seconds
        stream = self.model.stream(self.prompt, self.settings, self.idempotency_key)
        async with contextlib.aclosing(stream):
            while True:
                piece = await self._next(stream, patience)
                patience = self.limits.between_tokens_seconds
                if piece:
                    self.has_begun = True
                    yield piece
                if isinstance(piece, Completion):
                    return

    async def _next(
        self, stream: AsyncGenerator[str | Completion, None], patience: float
    ) -> str | Completion:
        seconds = min(patience, self.deadline - _now())
        try:
            async with asyncio.timeout(seconds):
                return await anext(stream)
        except StopAsyncIteration:
            raise TransientFailure(f"The language model {self.model.name} said nothing.") from None
        except TimeoutError:
            what = "sent nothing for" if seconds == patience else "was not done after"
            limit = patience if seconds == patience else self.limits.total_seconds
            raise TransientFailure(f"The language model {self.model.name} {what} {limit:g} s.") from None

    def _broke_off(self, failure: ModelUnavailable) -> ModelUnavailable:
        """An AnswerBrokeOff while there is time left to ask again."""
        text = f"{failure.message} A part of its answer had come by then, but not all of it. Ask again."
        return AnswerBrokeOff(text) if _now() < self.deadline else ModelUnavailable(text)

    def _wait(self, failure: ModelUnavailable, tried: int) -> float | None:
        """Seconds until the next try, or None when there is to be none."""
        if not isinstance(failure, TransientFailure) or tried >= self.limits.retries:
            return None
        wait = failure.retry_after
        if wait is None:
            jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
            wait = self.limits.first_wait_seconds * 2.0**tried * jitter
        wait = min(wait, self.limits.longest_wait_seconds)
        return wait if _now() + wait < self.deadline else None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _all_failed(
    failures: list[ModelUnavailable | ConfigurationError],
) -> ModelUnavailable | ConfigurationError:
    if len(failures) == 1:
        return failures[0]
    said = " ".join(failure.message for failure in failures)
    return ModelUnavailable(f"No language model answered. {said}", retry_after=failures[-1].retry_after)
