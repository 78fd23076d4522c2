"""Every setting of language models, read once from the environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fixieai import errors
from fixieai.llm.providers import PROVIDERS
from fixieai.protocol.prompts import Rendering

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long one answer may take, and how often it is tried. Times are in seconds.

    `first_token_seconds` runs until the first sign of an answer (without streaming: the whole of
    it), `between_tokens_seconds` from one sign of life to the next, `total_seconds` over all
    tries and fallbacks. `longest_wait_seconds` bounds what a server may ask for with `Retry-After`.
    """

    connect_seconds: float = 10.0
    first_token_seconds: float = 120.0
    between_tokens_seconds: float = 60.0
    total_seconds: float = 240.0
    retries: int = 2
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which models there are, and which one answers.

    An agent that names a model gets that one. `default_model` is for the others, with one
    exception: when it is `few-shot`, no other model is ever called, whatever agents ask for.
    `keys` and `base_urls` are by owner.
    """

    default_model: str | None = None
    fallback_models: tuple[str, ...] = ()
    rendering: Rendering | None = None
    streams: bool = True
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    base_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: CallLimits = field(default_factory=CallLimits)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ModelSettings":
        """Reads FIXIE_DEFAULT_MODEL, FIXIE_FALLBACK_MODELS, FIXIE_LLM_*, and each provider's variables.

        Raises:
            ConfigurationError: a variable cannot be read; names it.
        """
        fallbacks = environment.get("FIXIE_FALLBACK_MODELS", "").split(",")
        return cls(
            default_model=environment.get("FIXIE_DEFAULT_MODEL", "").strip() or None,
            fallback_models=tuple(name.strip() for name in fallbacks if name.strip()),
            rendering=_read(environment, "FIXIE_LLM_RENDERING", None, _rendering, "tools or text"),
            streams=_read(environment, "FIXIE_LLM_STREAM", True, _yes_or_no, "1 or 0"),
            keys=_keys(environment),
            base_urls=_base_urls(environment),
            limits=_limits(environment),
        )

    def base_url(self, owner: str) -> str:
        return self.base_urls.get(owner) or PROVIDERS[owner].base_url


def _keys(environment: Mapping[str, str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for owner, provider in PROVIDERS.items():
        key = environment.get(provider.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise errors.ConfigurationError(f"{provider.key_variable} holds characters that no key has.")
        if key:
            keys[owner] = key
    return keys


def _base_urls(environment: Mapping[str, str]) -> dict[str, str]:
    variables = [(owner, f"{owner.upper()}_BASE_URL") for owner in PROVIDERS if owner != "custom"]
    variables += [("openai", "OPENAI_API_BASE"), ("custom", "FIXIE_LLM_BASE_URL")]
    base_urls: dict[str, str] = {}
    for owner, variable in variables:
        url = _read(environment, variable, "", _http_url, "a URL that begins with http:// or https://")
        if url:
            base_urls.setdefault(owner, url)
    return base_urls


def _limits(environment: Mapping[str, str]) -> CallLimits:
    defaults = CallLimits()

    def seconds(variable: str, default: float) -> float:
        return _read(environment, variable, default, _seconds, "a positive number of seconds")

    return CallLimits(
        connect_seconds=seconds("FIXIE_LLM_CONNECT_SECONDS", defaults.connect_seconds),
        first_token_seconds=seconds("FIXIE_LLM_FIRST_TOKEN_SECONDS", defaults.first_token_seconds),
        between_tokens_seconds=seconds("FIXIE_LLM_BETWEEN_TOKENS_SECONDS", defaults.between_tokens_seconds),
        total_seconds=seconds("FIXIE_LLM_TOTAL_SECONDS", defaults.total_seconds),
        retries=_read(environment, "FIXIE_LLM_RETRIES", defaults.retries, _count, "a number from 0 to 10"),
        longest_wait_seconds=seconds("FIXIE_LLM_LONGEST_WAIT_SECONDS", defaults.longest_wait_seconds),
    )


def _read(
    environment: Mapping[str, str], variable: str, default: _T, parse: Callable[[str], _T], expected: str
) -> _T:
    text = environment.get(variable, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except ValueError:
        raise errors.ConfigurationError(f"{variable} must be {expected}, not {text[:100]!r}.") from None


def _rendering(text: str) -> Rendering:
    rendering = Rendering(text.lower())
    if rendering is Rendering.TRANSCRIPT:
        raise ValueError
    return rendering


def _yes_or_no(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError
    return text == "1"


def _http_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError
    return text.rstrip("/")


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise ValueError
    return number


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 10:
        raise ValueError
    return number
