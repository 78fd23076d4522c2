"""From an agent's handshake to what runs a query: parsed once, kept until the agent is modified."""

import json
from dataclasses import dataclass

from fixieai.protocol import builtin_funcs, few_shots, metadata
from fixieai.protocol.prompts import LlmSettings
from fixieai.protocol.transcript import FewShot, FuncSpec, LineKind
from fixieai.query_loop.loop import CodeShot
from fixieai.storage.agents import Agent

_CACHE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Program:
    """An agent ready to answer. `code_shot` is None for one that answers by itself (standalone).

    With an `environment` the platform runs the package of its current revision, and there is no `url`.
    """

    agent_id: str
    url: str | None
    code_shot: CodeShot | None
    llm_settings: LlmSettings
    revision_id: int | None = None
    environment: str | None = None
    package_hash: str | None = None


class Programs:
    """The programs of agents, made when first needed."""

    def __init__(self) -> None:
        self._cache: dict[int, tuple[str, Program]] = {}

    def of(self, agent: Agent) -> Program:
        """The agent's program: parsed anew when the agent was modified since."""
        known = self._cache.get(agent.id)
        if known is not None and known[0] == agent.modified:
            return known[1]
        program = build(agent)
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.pop(next(iter(self._cache)), None)
        self._cache[agent.id] = (agent.modified, program)
        return program


def build(agent: Agent) -> Program:
    """What the agent's last handshake makes of it."""
    stored = json.loads(agent.metadata) if agent.metadata else None
    described = metadata.parse_metadata(stored) if stored else None
    if not isinstance(described, metadata.CodeShotAgentMetadata):
        return _program(agent, None, LlmSettings())
    shots = tuple(few_shots.parse(shot) for shot in described.few_shots)
    code_shot = CodeShot(
        base_prompt=described.base_prompt,
        few_shots=shots,
        conversational=described.conversational,
        funcs=_funcs(shots, described),
        agents=_names(shots, LineKind.ASK_AGENT, LineKind.AGENT_SAYS),
    )
    return _program(agent, code_shot, described.response_model or LlmSettings())


def _program(agent: Agent, code_shot: CodeShot | None, llm_settings: LlmSettings) -> Program:
    return Program(
        agent_id=agent.agent_id,
        url=agent.url,
        code_shot=code_shot,
        llm_settings=llm_settings,
        revision_id=agent.current_revision_id,
        environment=agent.environment,
        package_hash=agent.package_hash,
    )


def _names(shots: tuple[FewShot, ...], *kinds: LineKind) -> tuple[str, ...]:
    """In order of first appearance."""
    return tuple(dict.fromkeys(line.name for shot in shots for line in shot if line.kind in kinds))


def _funcs(shots: tuple[FewShot, ...], described: metadata.CodeShotAgentMetadata) -> tuple[FuncSpec, ...]:
    """The funcs that the few-shots name, and those whose schema the agent gave out."""
    typed = {name: spec for name, spec in described.funcs.items() if not name.startswith("_")}
    named = _names(shots, LineKind.ASK_FUNC, LineKind.FUNC_SAYS)
    plain = [
        FuncSpec(name, builtin_funcs.DESCRIPTIONS.get(name, ""))
        for name in named
        if name not in typed and not name.startswith("_")
    ]
    return (*typed.values(), *plain)
