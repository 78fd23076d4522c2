"""Who offers language models, as a table, and what each kind of model does not take.

A model is named `owner/model`; the owner is a row of this table, and the rest goes to its server as is.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fixieai import errors
from fixieai.protocol.prompts import Rendering

FEW_SHOT = "few-shot"
DEFAULT_OPENAI_MODEL = "openai/gpt-6-luna"
CHAT_PATH = "/chat/completions"
COMPLETIONS_PATH = "/completions"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """A server that speaks OpenAI's API.

    `{OWNER}_BASE_URL` in the environment replaces `base_url`. `path` may hold `{model}`.
    `sees`: its chat models take pictures; of other providers those do whose name says so.
    """

    owner: str
    base_url: str
    key_variable: str
    needs_key: bool = True
    rendering: Rendering = Rendering.TOOLS
    path: str = CHAT_PATH
    takes_stop: bool = True
    streams: bool = True
    counts_streamed_tokens: bool = True
    sees: bool = False


# Text is the rendering where tools depend on the model (Ollama), on a flag (vLLM), or are missing.
PROVIDERS: Mapping[str, Provider] = {
    provider.owner: provider
    for provider in (
        Provider("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", sees=True),
        Provider("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", sees=True),
        Provider(
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
            sees=True,
        ),
        Provider("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        Provider(
            "ai21",
            "https://api.ai21.com/studio/v1",
            "AI21_API_KEY",
            rendering=Rendering.TEXT,
            counts_streamed_tokens=False,
        ),
        Provider(
            "gooseai",
            "https://api.goose.ai/v1",
            "GOOSEAI_API_KEY",
            rendering=Rendering.TEXT,
            path="/engines/{model}/completions",
            counts_streamed_tokens=False,
        ),
        Provider(
            "ollama", "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", needs_key=False, rendering=Rendering.TEXT
        ),
        Provider(
            "vllm", "http://127.0.0.1:8000/v1", "VLLM_API_KEY", needs_key=False, rendering=Rendering.TEXT
        ),
        Provider("custom", "", "FIXIE_LLM_API_KEY", needs_key=False),
    )
}

# Names that programs written for the original use, and names that have been shut down since.
_RETIRED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "openai/text-davinci-003",
            "openai/text-davinci-002",
            "openai/text-davinci-001",
            "openai/text-curie-001",
            "openai/text-babbage-001",
            "openai/text-ada-001",
            "openai/davinci",
            "openai/curie",
            "openai/babbage",
            "openai/ada",
            "openai/code-davinci-002",
            "openai/gpt-4.1-nano",
        ),
        DEFAULT_OPENAI_MODEL,
    ),
    **dict.fromkeys(
        ("openai/gpt-3.5-turbo", "openai/gpt-3.5-turbo-16k", "openai/gpt-3.5-turbo-instruct"),
        "openai/gpt-5.6-terra",
    ),
    **dict.fromkeys(("openai/gpt-4", "openai/gpt-4-32k", "openai/gpt-4-turbo"), "openai/gpt-5.6-sol"),
    **dict.fromkeys(
        ("ai21/j1-jumbo", "ai21/j1-grande", "ai21/j2-jumbo", "ai21/j2-grande", "ai21/j2-ultra"),
        "ai21/jamba-large",
    ),
    **dict.fromkeys(
        ("ai21/j1-large", "ai21/j2-large", "ai21/j2-mid", "ai21/j2-light", "ai21/j2-grande-instruct"),
        "ai21/jamba-mini",
    ),
}

_COMPLETION_MODEL = re.compile(r"gpt-3\.5-turbo-instruct|(?:davinci|babbage)-002|text-")
_REASONING_MODEL = re.compile(r"o\d|gpt-(?:[5-9]|\d\d)")
# Models that take pictures, wherever they run.
_SEEING_MODEL = re.compile(
    r"vision|llava|pixtral|moondream|minicpm-v|internvl|[-.\d]vl|gemma-?[3-9]|llama-?4|gpt-(?:4o|[5-9])|claude|gemini",
    re.IGNORECASE,
)
# From gpt-5.1 on, OpenAI's chat endpoint takes tools only when the model is told not to reason.
_REASONING_EXCLUDES_TOOLS = re.compile(r"gpt-(?:5\.[1-9]|[6-9]|\d\d)")


@dataclass(frozen=True, slots=True)
class ModelId:
    """A model at a provider, and how it wants to be asked."""

    provider: Provider
    model: str

    @property
    def name(self) -> str:
        return f"{self.provider.owner}/{self.model}"

    @property
    def reasons(self) -> bool:
        """Reasoning models refuse `stop` and `temperature`, and count what they think as tokens written."""
        last = self.model.rpartition("/")[2]
        return _REASONING_MODEL.match(last) is not None and "-chat" not in last

    @property
    def must_not_reason_with_tools(self) -> bool:
        return self.provider.owner == "openai" and _REASONING_EXCLUDES_TOOLS.match(self.model) is not None

    @property
    def sees(self) -> bool:
        """Whether it can be asked about pictures."""
        return self.is_chat and (self.provider.sees or _SEEING_MODEL.search(self.model) is not None)

    @property
    def path(self) -> str:
        if self.provider.owner == "openai" and _COMPLETION_MODEL.match(self.model):
            return COMPLETIONS_PATH
        return self.provider.path.format(model=self.model)

    @property
    def is_chat(self) -> bool:
        return self.path == CHAT_PATH


def parse_model_name(name: str) -> ModelId:
    """`owner/model` as a row of the table and the rest. Retired names become current ones, with a warning.

    Raises:
        ConfigurationError: the name has no owner, or one that is not in the table.
    """
    name = _current_name(name.strip())
    owner, slash, model = name.partition("/")
    provider = PROVIDERS.get(owner)
    if not slash or not model or provider is None or not _is_printable(model):
        raise errors.ConfigurationError(
            f"No model is called {name[:100]!r}. A model is named owner/model,\n"
            f"as in {DEFAULT_OPENAI_MODEL}; owners are {', '.join(PROVIDERS)}.\n"
            f"The model that needs no server and no key is called {FEW_SHOT}."
        )
    return ModelId(provider, model)


def sees_images(name: str) -> bool:
    """Whether a model of this name, the few-shot model's too, can be asked about pictures."""
    return name != FEW_SHOT and parse_model_name(name).sees


def _is_printable(model: str) -> bool:
    """Model names become a part of URLs and headers of requests."""
    return re.fullmatch(r"[\w.:@+-]+(?:/[\w.:@+-]+)*", model, re.ASCII) is not None and ".." not in model


@lru_cache(maxsize=256)
def _current_name(name: str) -> str:
    """Cached, so that the warning is logged once for each name."""
    current = _RETIRED.get(name)
    if current is None:
        return name
    _logger.warning(
        "The model %s no longer exists; using %s. Name it in LlmSettings(model=...).", name, current
    )
    return current
