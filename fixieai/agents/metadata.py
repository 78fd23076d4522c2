"""The documented import path of what agents say of themselves."""

from fixieai.protocol.metadata import AgentMetadata, CodeShotAgentMetadata, StandaloneAgentMetadata

__all__ = [
    "AgentMetadata",
    "CodeShotAgentMetadata",
    "StandaloneAgentMetadata",
]
