"""What an agent says of itself in the handshake (`GET /`), as YAML."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pydantic

from fixieai import errors
from fixieai.protocol import shapes
from fixieai.protocol.corpora import CustomCorpus, UrlDocumentCorpus
from fixieai.protocol.few_shots import FUNC_NAME
from fixieai.protocol.prompts import LlmSettings
from fixieai.protocol.transcript import FuncSpec

_LIMITS = shapes.Limits()
_MAXIMUM_ITEMS = 1000
_MAXIMUM_FUNCS = 128
_HIGHEST_TEMPERATURE = 2
_WHAT = "the metadata"

_Texts = Annotated[list[str], pydantic.Field(max_length=_MAXIMUM_ITEMS)]
_FuncName = Annotated[str, pydantic.Field(pattern=rf"^{FUNC_NAME}$")]


def _func_specs(value: object) -> object:
    """`{name: {"description", "parameters"}}` as FuncSpecs."""
    if not isinstance(value, Mapping):
        return value
    return {name: _func_spec(name, said) for name, said in value.items()}


def _func_spec(name: object, said: object) -> object:
    if not isinstance(said, Mapping):
        return said
    parameters = said.get("parameters")
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        raise ValueError(f"{name}: parameters must be a JSON schema of type object")
    try:
        json.dumps(parameters)
    except TypeError as error:
        raise ValueError(f"{name}: parameters must be plain JSON: {error}") from error
    return {"name": name, "description": said.get("description") or "", "parameters": parameters}


def _usable(settings: LlmSettings | None) -> LlmSettings | None:
    if settings is None:
        return None
    if settings.temperature is not None and not 0 <= settings.temperature <= _HIGHEST_TEMPERATURE:
        raise ValueError(f"temperature must be from 0 to {_HIGHEST_TEMPERATURE}")
    if settings.maximum_tokens is not None and settings.maximum_tokens < 1:
        raise ValueError("maximum_tokens must be at least 1")
    return settings


@dataclass
class CodeShotAgentMetadata:
    """A Code Shot agent. `funcs` holds those whose argument is JSON of a known schema, and only those."""

    base_prompt: str
    few_shots: _Texts
    corpora: Annotated[list[UrlDocumentCorpus | CustomCorpus], pydantic.Field(max_length=100)] | None = None
    conversational: bool = False
    response_model: Annotated[LlmSettings | None, pydantic.AfterValidator(_usable)] = None
    funcs: Annotated[
        dict[_FuncName, FuncSpec],
        pydantic.Field(max_length=_MAXIMUM_FUNCS),
        pydantic.BeforeValidator(_func_specs),
    ] = field(default_factory=dict)
    type: Literal["code_shot"] = "code_shot"

    def to_dict(self) -> dict[str, Any]:
        """The handshake as plain JSON values, in the documented order of keys."""
        content: dict[str, Any] = {
            "base_prompt": self.base_prompt,
            "few_shots": list(self.few_shots),
            "corpora": None if self.corpora is None else [dataclasses.asdict(each) for each in self.corpora],
            "conversational": self.conversational,
            "response_model": dataclasses.asdict(self.response_model) if self.response_model else None,
            "type": self.type,
        }
        if self.funcs:
            content["funcs"] = {
                name: {"description": spec.description, "parameters": spec.parameters}
                for name, spec in self.funcs.items()
            }
        return content


@dataclass
class StandaloneAgentMetadata:
    """An agent that answers queries by its own code."""

    sample_queries: _Texts | None = None
    type: Literal["standalone"] = "standalone"

    def to_dict(self) -> dict[str, Any]:
        """The handshake as plain JSON values."""
        return dataclasses.asdict(self)


AgentMetadata = CodeShotAgentMetadata | StandaloneAgentMetadata


def parse_metadata(value: object) -> AgentMetadata:
    """The decoded body of a handshake, of an agent that need not be trusted.

    Keys that are not known are ignored.

    Raises:
        UnprocessableContent: the message says what is wrong and where.
    """
    match shapes.mapping(value, _WHAT).get("type"):
        case "code_shot":
            return shapes.read(CodeShotAgentMetadata, value, _WHAT, _LIMITS)
        case "standalone":
            return shapes.read(StandaloneAgentMetadata, value, _WHAT, _LIMITS)
    raise errors.UnprocessableContent(f"{_WHAT} cannot be used: type must be code_shot or standalone")


def sample_queries(metadata: AgentMetadata) -> list[str]:
    """Questions that the agent says it answers: the first line of each few-shot, or its sample queries."""
    if isinstance(metadata, StandaloneAgentMetadata):
        return list(metadata.sample_queries or [])
    first_lines = (shot.split("\n", 1)[0] for shot in metadata.few_shots)
    questions = (line.removeprefix("Q:").strip() for line in first_lines if line.startswith("Q:"))
    return [question for question in questions if question]
