"""From `module:attribute` to an agent."""

import importlib
import inspect
import pathlib
import sys
from typing import Any

from fixieai import errors
from fixieai.agents.agent_base import AgentBase
from fixieai.agents.agent_func import AgentFunc, AgentQueryFunc
from fixieai.agents.standalone import StandaloneAgent
from fixieai.cli.agent.agent_config import AgentConfig


def load(config: AgentConfig) -> AgentBase:
    """Imports the agent of `config` from the current folder and validates it.

    Raises:
        ConfigurationError: the entry point leads to nothing that is an agent, or to one that cannot work.
        Exception: whatever the author's module raises.
    """
    folder = str(pathlib.Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(config.module)
    except ModuleNotFoundError as error:
        if error.name != config.module:
            raise
        raise errors.ConfigurationError(
            f"entry_point {config.entry_point}: there is no {config.module}.py in {folder}"
        ) from error
    found = getattr(module, config.attribute, None)
    if found is None:
        raise errors.ConfigurationError(
            f"entry_point {config.entry_point}: {module.__file__} has no {config.attribute!r}"
        )
    agent = _as_agent(found, config)
    try:
        agent.validate()
    except ValueError as error:
        raise errors.ConfigurationError(f"entry_point {config.entry_point}: {error}") from error
    return agent


def _as_agent(found: Any, config: AgentConfig) -> AgentBase:
    if isinstance(found, AgentBase):
        return found
    if isinstance(found, AgentFunc):
        return StandaloneAgent(found)
    if inspect.isfunction(found):
        return StandaloneAgent(AgentQueryFunc.create(found, None, str, allow_generator=True))
    raise errors.ConfigurationError(
        f"entry_point {config.entry_point}: expected an agent or a function, not {type(found).__name__}"
    )
