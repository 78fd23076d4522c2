"""OpenAI, and every server that speaks its API: one model at one server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from fixieai.errors import ConfigurationError, FixieError, ModelUnavailable
from fixieai.llm.answers import Answer, Decoder
from fixieai.llm.failures import FieldRefused, TransientFailure
from fixieai.llm.providers import ModelId
from fixieai.llm.request_bodies import request_body, without
from fixieai.protocol.prompts import Completion, LlmSettings, Prompt, Rendering, TranscriptPrompt

if TYPE_CHECKING:
    from fixieai.llm.openai_client import Client

# Refusing one of these is no reason to give up: models and servers differ in what they take.
_CAN_DO_WITHOUT = frozenset(("max_tokens", "reasoning_effort", "stop", "stream_options", "temperature"))

_SECONDS_TO_END = 0.1


class Server:
    """The connections to one provider, kept alive between calls."""

    def __init__(self, base_url: str, key: str | None, connect_seconds: float) -> None:
        self._settings = (base_url, key, connect_seconds)
        self._opening = asyncio.Lock()
        self._client: Client | None = None

    async def client(self) -> "Client":
        async with self._opening:
            if self._client is None:
                # In a thread: importing the SDK takes half a second, in which other queries go on.
                self._client = await asyncio.to_thread(_open_client, *self._settings)
            return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _open_client(base_url: str, key: str | None, connect_seconds: float) -> "Client":
    from fixieai.llm import openai_client  # noqa: PLC0415 - half a second, paid by the first call alone

    return openai_client.open_client(base_url, key, connect_seconds)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Reads the end of a response whose answer is done, for the connection to be used again.

    However that fails: the answer is whole.
    """
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_SECONDS_TO_END):
            async for _ in chunks:
                pass


class OpenAIModel:
    """One model, asked once per `stream`: retries and time limits are `resilient`'s.

    Yields an empty piece for each sign of life that adds no text (a thought, a part of a tool call).
    """

    def __init__(self, model: ModelId, server: Server, rendering: Rendering, *, streams: bool) -> None:
        self._model = model
        self._server = server
        self._rendering = rendering
        self._streams = streams
        self._refused: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def rendering(self) -> Rendering:
        return self._rendering

    async def stream(
        self, prompt: Prompt, settings: LlmSettings, idempotency_key: str
    ) -> AsyncGenerator[str | Completion, None]:
        """See `LanguageModel.stream`; one try.

        Raises:
            TransientFailure: trying again may help. After text was yielded, the answer is lost all the same.
            ModelUnavailable, ConfigurationError: trying again does not help.
        """
        if isinstance(prompt, TranscriptPrompt):
            raise TypeError(f"{self.name} reads the {self.rendering} rendering")
        body = request_body(self._model, prompt, settings, streams=self._streams)
        try:  # noqa: PLR1702 - an async generator delegates in no fewer blocks
            client = await self._server.client()
            while True:
                try:
                    asking = self._ask(client, without(body, self._refused), idempotency_key)
                    async with contextlib.aclosing(asking):
                        async for piece in asking:
                            yield piece
                except FieldRefused as refusal:
                    self._learn(refusal)
                else:
                    return
        except FixieError as error:
            raise self._named(error) from None

    async def close(self) -> None:
        """Does nothing: connections belong to the server."""

    async def _ask(
        self, client: "Client", body: dict[str, Any], idempotency_key: str
    ) -> AsyncGenerator[str | Completion, None]:
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        answer, decoder = Answer(self.name, client.api_key), Decoder()
        async with client.send(self._model.path, content, idempotency_key) as response:
            chunks = response.aiter_bytes()
            async for chunk in chunks:
                for event in decoder.feed(chunk):
                    yield answer.add(event) if event is not None else ""
                if decoder.is_done:
                    await _drain(chunks)
                    break
        for event in decoder.finish():
            yield answer.add(event) if event is not None else ""
        if not (decoder.is_done or answer.has_finish_reason):
            raise TransientFailure(
                "ended before its answer did" if decoder.has_events else "sent something that is no answer"
            )
        yield answer.completion()

    def _learn(self, refusal: FieldRefused) -> None:
        if refusal.field not in _CAN_DO_WITHOUT or refusal.field in self._refused:
            raise ModelUnavailable(refusal.message) from None
        self._refused |= {refusal.field}

    def _named(self, error: FixieError) -> FixieError:
        """The same error, with a message for whoever reads the session."""
        error.message = f"The language model {self.name} {error.message}."
        if isinstance(error, ConfigurationError):
            error.message += (
                f" Check its name, {self._model.provider.key_variable} and its server's base URL."
            )
        error.args = (error.message,)
        return error
