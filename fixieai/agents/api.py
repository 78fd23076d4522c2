"""The documented import path of the messages of an agent."""

from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentError, AgentQuery, AgentResponse, AgentResponseGenerator, Message

__all__ = [
    "AgentError",
    "AgentQuery",
    "AgentResponse",
    "AgentResponseGenerator",
    "Embed",
    "Message",
]
