"""What a query is answered with: the agent as the loop sees it, and the limits of one query."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fixieai.protocol.builtin_funcs import is_builtin
from fixieai.protocol.transcript import FewShot, FuncSpec

# A leading underscore is the platform's own (`_oauth`): no model may call such a func.
_CALLABLE_FUNC = re.compile(r"(?!_)\w{1,64}")
_CALLABLE_AGENT = re.compile(r"(?!_)[\w-]{1,64}(?:/(?!_)[\w-]{1,64})?")
_PREPARED_AGENTS = 512


@dataclass(frozen=True, slots=True, eq=False)
class CodeShot:
    """An agent. Make one per revision and keep it: what is prepared for it is found by identity.

    `funcs` and `agents` are those the model may call: named by the few-shots, and more by choice.
    """

    base_prompt: str
    few_shots: tuple[FewShot, ...]
    conversational: bool = False
    funcs: tuple[FuncSpec, ...] = ()
    agents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Where one query ends.

    `steps` are model calls. `unknown_names` is how often the model is told that what it asked for
    cannot be called. The rest are characters: of few-shots and history in a prompt, of one reply
    of a func or agent (longer ones are cut, and say so), of one completion.
    """

    steps: int = 20
    unknown_names: int = 2
    few_shot_characters: int = 24_000
    history_characters: int = 24_000
    reply_characters: int = 40_000
    answer_characters: int = 100_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Callables:
    """What the model may call, by name."""

    funcs: Mapping[str, FuncSpec]
    agents: frozenset[str]

    def has_func(self, name: str) -> bool:
        return name in self.funcs or is_builtin(name)

    def has_agent(self, name: str) -> bool:
        return name in self.agents


@lru_cache(maxsize=_PREPARED_AGENTS)
def callables(code_shot: CodeShot) -> Callables:
    """Names that the language does not allow are left out, whoever listed them."""
    return Callables(
        funcs={spec.name: spec for spec in code_shot.funcs if _CALLABLE_FUNC.fullmatch(spec.name)},
        agents=frozenset(name for name in code_shot.agents if _CALLABLE_AGENT.fullmatch(name)),
    )
