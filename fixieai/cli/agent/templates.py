"""The agents that ship with the package, as files to begin with."""

import importlib.resources
import pathlib
import string

from fixieai.cli.agent import agent_config
from fixieai.cli.agent.agent_config import AgentConfig

DICE = "dice"
GAME_MASTER = "game_master"


def write_code(config: AgentConfig, folder: pathlib.Path, template: str = DICE) -> pathlib.Path | None:
    """Writes the module that the entry point names. None: there is one already, which is left alone."""
    path = folder.joinpath(*config.module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_code(config, template))
    except FileExistsError:
        return None
    return path


def write_agent(folder: pathlib.Path, template: str, handle: str) -> AgentConfig:
    """Writes a whole agent, agent.yaml and main.py, into a new folder."""
    config = AgentConfig(handle)
    folder.mkdir()
    agent_config.save(config, folder / agent_config.FILE_NAME)
    write_code(config, folder, template)
    return config


def _code(config: AgentConfig, template: str) -> str:
    files = importlib.resources.files("fixieai.cli").joinpath("templates")
    text = files.joinpath(f"{template}.py.template").read_text("utf-8")
    return string.Template(text).substitute(agent=config.attribute, handle=config.handle)
