"""From the name of a model to the model, and which one answers when nobody named one."""

import contextlib
import logging
import urllib.parse
from collections import OrderedDict

from fixieai import errors
from fixieai.llm.base import LanguageModel
from fixieai.llm.few_shot_model import FewShotModel
from fixieai.llm.local_servers import ModelList
from fixieai.llm.openai import OpenAIModel, Server
from fixieai.llm.providers import DEFAULT_OPENAI_MODEL, FEW_SHOT, ModelId, parse_model_name
from fixieai.llm.resilient import ResilientModel
from fixieai.llm.settings import ModelSettings
from fixieai.protocol.prompts import Rendering

_logger = logging.getLogger(__name__)
_MODELS_KEPT = 256
_OLLAMA_SECONDS = 0.3
_CUSTOM_SECONDS = 5.0


class Models:
    """Every model that this process may call. One event loop uses it; close it there."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._few_shot = FewShotModel()
        self._servers: dict[str, Server] = {}
        self._kept: OrderedDict[str, LanguageModel] = OrderedDict()
        self._lists = {
            owner: ModelList(settings.base_url(owner), settings.keys.get(owner), seconds)
            for owner, seconds in (("custom", _CUSTOM_SECONDS), ("ollama", _OLLAMA_SECONDS))
        }

    async def choose(self, requested: str | None) -> LanguageModel:
        """The model an agent gets. `requested` is its `LlmSettings.model`.

        Without a request: `default_model`; else the first model of FIXIE_LLM_BASE_URL; else
        OpenAI's if there is a key; else the first model of an Ollama on this machine; else the
        few-shot model. A `default_model` of `few-shot` overrules every request.

        Raises:
            ConfigurationError: the model is unknown, or needs a key that there is not.
        """
        if self._settings.default_model == FEW_SHOT:
            return self._few_shot
        name = requested or self._settings.default_model or await self._default()
        return self._few_shot if name == FEW_SHOT else self._model(name)

    async def close(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for server in self._servers.values():
                stack.push_async_callback(server.close)
        self._servers.clear()
        self._kept.clear()

    async def _default(self) -> str:
        if "custom" in self._settings.base_urls:
            return await self._first_of("custom") or _nothing_at(self._settings.base_url("custom"))
        if "openai" in self._settings.keys:
            return DEFAULT_OPENAI_MODEL
        return await self._first_of("ollama") or FEW_SHOT

    async def _first_of(self, owner: str) -> str | None:
        model = await self._lists[owner].first_model()
        return model and f"{owner}/{model}"

    def _model(self, name: str) -> LanguageModel:
        model = self._kept.get(name)
        if model is None:
            model = self._kept[name] = self._with_fallbacks(name)
            if len(self._kept) > _MODELS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return model

    def _with_fallbacks(self, name: str) -> LanguageModel:
        first = self._single(parse_model_name(name))
        models = [first]
        for fallback in self._settings.fallback_models:
            model = self._few_shot if fallback == FEW_SHOT else self._fallback(fallback)
            if model is None or model.name in {known.name for known in models}:
                continue
            if model.rendering is first.rendering:
                models.append(model)
            else:
                _logger.warning(
                    "%s cannot stand in for %s: it is asked in another way.", model.name, first.name
                )
        return ResilientModel(tuple(models), self._settings.limits)

    def _fallback(self, name: str) -> LanguageModel | None:
        """A fallback that cannot work is no reason not to call the model that can."""
        try:
            return self._single(parse_model_name(name))
        except errors.ConfigurationError as error:
            _logger.warning("FIXIE_FALLBACK_MODELS: %s", error.message)
            return None

    def _single(self, model: ModelId) -> LanguageModel:
        provider = model.provider
        if provider.needs_key and provider.owner not in self._settings.keys:
            raise errors.ConfigurationError(
                f"{model.name} is asked for, and there is no key for {provider.owner}.\n"
                f"Set {provider.key_variable} to use it; or set FIXIE_DEFAULT_MODEL={FEW_SHOT}:\n"
                "then every agent answers from its own few-shots, offline and without a key."
            )
        rendering = provider.rendering if model.is_chat else Rendering.TEXT
        if model.is_chat and self._settings.rendering is not None:
            rendering = self._settings.rendering
        streams = provider.streams and self._settings.streams
        return OpenAIModel(model, self._server(provider.owner), rendering, streams=streams)

    def _server(self, owner: str) -> Server:
        if owner not in self._servers:
            base_url = self._settings.base_url(owner)
            if not base_url:
                raise errors.ConfigurationError("Set FIXIE_LLM_BASE_URL to the server of the custom models.")
            connect_seconds = self._settings.limits.connect_seconds
            self._servers[owner] = Server(base_url, self._settings.keys.get(owner), connect_seconds)
        return self._servers[owner]


def _nothing_at(base_url: str) -> str:
    raise errors.ConfigurationError(
        f"The server at FIXIE_LLM_BASE_URL ({urllib.parse.urlsplit(base_url).hostname}) lists no models.\n"
        "Start it, or name its model: FIXIE_DEFAULT_MODEL=custom/<model>."
    )
