"""What an author of agents imports."""

import os
import warnings

from fixieai.agents.agent_base import AgentBase
from fixieai.agents.api import AgentError as AgentError
from fixieai.agents.api import AgentQuery, AgentResponse, Embed, Message
from fixieai.agents.code_shot import CodeShotAgent
from fixieai.agents.corpora import (
    CorpusDocument,
    CorpusPage,
    CorpusPartition,
    CorpusRequest,
    CorpusResponse,
    CustomCorpus,
    DocumentCorpus,
    UrlDocumentCorpus,
)
from fixieai.agents.corpora import DocumentLoader as DocumentLoader
from fixieai.agents.exceptions import UnpinnedAgentWarning
from fixieai.agents.llm_settings import LlmSettings
from fixieai.agents.oauth import OAuthHandler, OAuthParams
from fixieai.agents.standalone import StandaloneAgent
from fixieai.agents.user_storage import UserStorage
from fixieai.agents.utils import FewshotLinePattern as FewshotLinePattern

# The names that are imported as themselves are in older documents; their modules are their place.
__all__ = [
    "AgentBase",
    "AgentQuery",
    "AgentResponse",
    "CodeShotAgent",
    "CorpusDocument",
    "CorpusPage",
    "CorpusPartition",
    "CorpusRequest",
    "CorpusResponse",
    "CustomCorpus",
    "DocumentCorpus",
    "Embed",
    "LlmSettings",
    "Message",
    "OAuthHandler",
    "OAuthParams",
    "StandaloneAgent",
    "UrlDocumentCorpus",
    "UserStorage",
]

if not os.environ.get("FIXIE_API_URL"):
    # Without a platform elsewhere, serve() registers the agent with the one on this machine and pins its
    # id itself: at construction there is nothing that the author could do about the warning.
    warnings.filterwarnings("ignore", category=UnpinnedAgentWarning)
