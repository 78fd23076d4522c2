"""The JSON bodies of the agent protocol: query, response, error."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import field
from typing import Any

import pydantic
from pydantic.dataclasses import dataclass

from fixieai.protocol.embeds import NUMBERS_AS_TEXT, Embed


@dataclass(config=NUMBERS_AS_TEXT)
class Message:
    """A text, and the attachments that it names as `#key`."""

    text: str
    embeds: dict[str, Embed] = field(default_factory=dict)

    @property
    def message(self) -> Message:
        """The message itself, so that a func with an untyped parameter may write `query.message.text`."""
        return self


@dataclass(config=NUMBERS_AS_TEXT)
class AgentQuery:
    """What the platform sends to a func or a standalone agent.

    `access_token` is the query token, for calls back to the platform on behalf of the user.
    """

    message: Message
    access_token: str | None = None


@dataclass(config=NUMBERS_AS_TEXT)
class AgentError:
    """What went wrong inside an agent. `details` is JSON for the agent's owner, or None."""

    code: str
    message: str
    details: dict[str, Any] | None


@dataclass(config=NUMBERS_AS_TEXT)
class AgentResponse:
    """What a func or a standalone agent answers."""

    message: Message
    error: AgentError | None = None


AgentResponseGenerator = Generator[AgentResponse, None, None]

QUERY_ADAPTER = pydantic.TypeAdapter(AgentQuery)
RESPONSE_ADAPTER = pydantic.TypeAdapter(AgentResponse)
