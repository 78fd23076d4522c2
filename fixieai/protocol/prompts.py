"""What one model call is given and gives back. Which of the three prompts a model takes is its own saying."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fixieai.protocol.transcript import Transcript


class Rendering(enum.StrEnum):
    """How a transcript is shown to a model."""

    TOOLS = "tools"
    TEXT = "text"
    TRANSCRIPT = "transcript"


@dataclass(frozen=True, slots=True)
class Tool:
    """`name` matches ^[a-zA-Z0-9_-]{1,64}$; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is JSON text as the model wrote it, perhaps invalid."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn. An assistant turn may hold a tool call; a tool turn names the call it answers.

    `images`, of a user's turn, are `data:` URIs of pictures.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool_call: ToolCall | None = None
    tool_call_id: str | None = None
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """The tool rendering: turns and native tools."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """The text rendering: instructions apart, then protocol text that the model continues.

    A completion model is sent `instructions` + `text`; a chat model gets `instructions` as the
    system turn and `text` as the user turn. `stop` are the strings the model must not write.
    """

    instructions: str
    text: str
    stop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TranscriptPrompt:
    """The lines themselves, for a model that reads them (the few-shot model)."""

    transcript: Transcript


Prompt = ChatPrompt | TextPrompt | TranscriptPrompt


@dataclass
class LlmSettings:
    """What the agent asks of its model; None leaves it to the platform.

    `model` is `owner/model`, as in `openai/gpt-6-luna`; `maximum_tokens` counts the answer's tokens.
    """

    model: str | None = None
    temperature: float | None = None
    maximum_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered. Token counts are None where the server does not say.

    `is_cut_off`: it ended at the token limit, not by itself.
    """

    text: str
    tool_call: ToolCall | None = None
    model: str = ""
    is_cut_off: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
