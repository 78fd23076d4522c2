"""Agents made of a prompt, examples of conversations, and functions that the examples call."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fixieai.agents import utils
from fixieai.agents.agent_base import AgentBase
from fixieai.agents.oauth import OAuthParams
from fixieai.agents.utils import FewshotLinePattern
from fixieai.protocol.corpora import CustomCorpus, UrlDocumentCorpus
from fixieai.protocol.metadata import CodeShotAgentMetadata
from fixieai.protocol.prompts import LlmSettings
from fixieai.protocol.transcript import FuncSpec

__all__ = ["CodeShotAgent", "FewshotLinePattern"]

_SHOT_BOUNDARY = re.compile(r"\n\n+(?=Q:)")


class CodeShotAgent(AgentBase):
    """An agent whose model is shown how to answer and which functions to call.

    Args:
        base_prompt: what the agent is, in plain words.
        few_shots: examples. A string holds them one after the other, with an empty line before
            each `Q:` that begins a new one.
        corpora: web pages that the platform indexes for this agent.
        conversational: an example may hold several turns, and the model sees earlier turns.
        oauth_params: lets functions take an OAuthHandler.
        llm_settings: which model, how warm, how long; the platform decides what is left open.
    """

    def __init__(
        self,
        base_prompt: str,
        few_shots: str | Sequence[str],
        corpora: Sequence[UrlDocumentCorpus] | None = None,
        conversational: bool = False,
        oauth_params: OAuthParams | None = None,
        llm_settings: LlmSettings | None = None,
    ) -> None:
        super().__init__(oauth_params)
        self.base_prompt = base_prompt
        self.few_shots = _split_few_shots(few_shots) if isinstance(few_shots, str) else list(few_shots)
        self.url_corpora = list(corpora or [])
        self.conversational = conversational
        self.llm_settings = llm_settings
        utils.strip_prompt_lines(self)

    @property
    def corpora(self) -> list[UrlDocumentCorpus | CustomCorpus] | None:
        """The web corpora, and one CustomCorpus for each registered corpus func; None without any."""
        custom = [CustomCorpus(func_name) for func_name in self._corpus_funcs]
        return [*self.url_corpora, *custom] or None

    def metadata(self) -> CodeShotAgentMetadata:
        """What the agent says of itself in the handshake."""
        return CodeShotAgentMetadata(
            base_prompt=self.base_prompt,
            few_shots=list(self.few_shots),
            corpora=self.corpora,
            conversational=self.conversational,
            response_model=self.llm_settings,
            funcs=self._structured_funcs(),
        )

    def validate(self) -> None:
        """Raises ValueError, which names the prompt, the line and what was expected there."""
        utils.validate_code_shot_agent(self)

    def _structured_funcs(self) -> dict[str, FuncSpec]:
        return {
            name: FuncSpec(name, func.description, func.schema)
            for name, func in self._funcs.items()
            if func.schema is not None
        }


def _split_few_shots(few_shots: str) -> list[str]:
    """The examples in a string: a new one begins at each `Q:` that follows an empty line."""
    text = utils.stripped(few_shots)
    return _SHOT_BOUNDARY.split(text) if text else []
