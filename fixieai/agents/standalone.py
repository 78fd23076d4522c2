"""Agents that answer queries by their own code, without the platform's model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fixieai.agents.agent_base import AgentBase
from fixieai.agents.agent_func import AgentFunc, AgentQueryFunc
from fixieai.agents.oauth import OAuthParams
from fixieai.protocol.messages import Message
from fixieai.protocol.metadata import StandaloneAgentMetadata


class StandaloneAgent(AgentBase):
    """An agent whose function gets the query and gives the answer, whole or in pieces.

    Args:
        handle_message: a function (plain, async, or a generator of either kind) or an AgentFunc.
            Each item that a generator yields is the whole answer so far.
        sample_queries: questions that the agent answers; the platform routes by them.
        oauth_params: lets functions take an OAuthHandler.
    """

    def __init__(
        self,
        handle_message: Callable[..., Any] | AgentFunc,
        sample_queries: Sequence[str] | None = None,
        oauth_params: OAuthParams | None = None,
    ) -> None:
        super().__init__(oauth_params)
        self.sample_queries = None if sample_queries is None else list(sample_queries)
        self._handle_message = _agent_func(handle_message, oauth_params)

    def metadata(self) -> StandaloneAgentMetadata:
        """What the agent says of itself in the handshake."""
        return StandaloneAgentMetadata(self.sample_queries)

    def validate(self) -> None:
        """Nothing to check: the function was checked when the agent was made."""


def _agent_func(
    handle_message: Callable[..., Any] | AgentFunc, oauth_params: OAuthParams | None
) -> AgentFunc:
    if isinstance(handle_message, AgentFunc):
        return handle_message
    return AgentQueryFunc.create(handle_message, oauth_params, Message, allow_generator=True)
