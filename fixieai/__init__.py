"""Build, host and run language agents in plain Python.

Every name is loaded when it is first used: `fixie --help` and a platform that serves no agent of its
own need nothing of what an agent's author needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fixieai.agents import (
        AgentQuery,
        AgentResponse,
        CodeShotAgent,
        CorpusDocument,
        CorpusPage,
        CorpusPartition,
        CorpusRequest,
        CorpusResponse,
        DocumentCorpus,
        Embed,
        LlmSettings,
        Message,
        OAuthHandler,
        OAuthParams,
        StandaloneAgent,
        UrlDocumentCorpus,
        UserStorage,
    )
    from fixieai.client import FixieClient, FixieEnvironment, get_agents, get_client, get_embeds, query

__version__ = "2.0.0"

__all__ = [
    "AgentQuery",
    "AgentResponse",
    "CodeShotAgent",
    "CorpusDocument",
    "CorpusPage",
    "CorpusPartition",
    "CorpusRequest",
    "CorpusResponse",
    "DocumentCorpus",
    "Embed",
    "FixieClient",
    "FixieEnvironment",
    "LlmSettings",
    "Message",
    "OAuthHandler",
    "OAuthParams",
    "StandaloneAgent",
    "UrlDocumentCorpus",
    "UserStorage",
    "__version__",
    "get_agents",
    "get_client",
    "get_embeds",
    "query",
]

_OF_THE_CLIENT = {"FixieClient", "FixieEnvironment", "get_agents", "get_client", "get_embeds", "query"}
# Older documents use these from here; the modules of `fixieai.agents` are their place.
_DOCUMENTED_HERE = {"AgentError", "CustomCorpus", "DocumentLoader", "FewshotLinePattern", "token"}
_PACKAGES = {"agents", "client", "constants"}


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"fixieai.{name}")
    if name not in __all__ and name not in _DOCUMENTED_HERE:
        raise AttributeError(f"module 'fixieai' has no attribute {name!r}")
    home = "fixieai.client" if name in _OF_THE_CLIENT else "fixieai.agents"
    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
