"""`agent.yaml`: what an agent is called and where its code is."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from fixieai import errors

FILE_NAME = "agent.yaml"
DEFAULT_ENTRY_POINT = "main:agent"
HANDLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_ENTRY_POINT = re.compile(r"[\w.]+:\w+")
_TEXTS = ("handle", "owner", "name", "description", "more_info_url", "entry_point", "deployment_url")


@dataclass
class AgentConfig:
    """The file's contents. Keys that are not ours stay in `other`, and in the file.

    `public` is deprecated; `deployment_url` says where an agent runs that is served by other means;
    `owner` is an organisation whose agent it is, or None: it is the user's own.
    """

    handle: str
    name: str | None = None
    description: str = ""
    more_info_url: str = ""
    entry_point: str = DEFAULT_ENTRY_POINT
    deployment_url: str | None = None
    public: bool | None = None
    owner: str | None = None
    other: dict[str, Any] = field(default_factory=dict)

    @property
    def agent_id(self) -> str:
        """What clients call it: the handle, behind its owner if that is an organisation."""
        return f"{self.owner}/{self.handle}" if self.owner else self.handle

    @property
    def module(self) -> str:
        return self.entry_point.partition(":")[0]

    @property
    def attribute(self) -> str:
        return self.entry_point.partition(":")[2]


def path_of(path: str | pathlib.Path | None) -> pathlib.Path:
    """The file that PATH means: the file itself, or `agent.yaml` in a folder (this one, for None)."""
    given = pathlib.Path(path or ".")
    return given if given.suffix in (".yaml", ".yml") else given / FILE_NAME


def load(path: pathlib.Path) -> AgentConfig:
    """Reads an agent.yaml.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError: it cannot be read or does not say what it must; the message says where.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise errors.ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise errors.ConfigurationError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise errors.ConfigurationError(f"{path} must hold a YAML mapping, with at least `handle: NAME`")
    problem = _problem(content)
    if problem:
        raise errors.ConfigurationError(f"{path}: {problem}")
    own = {item.name for item in dataclasses.fields(AgentConfig)} - {"other"}
    known = {key: value for key, value in content.items() if key in own and value is not None}
    return AgentConfig(**known, other={key: value for key, value in content.items() if key not in own})


def save(config: AgentConfig, path: pathlib.Path) -> None:
    """Writes an agent.yaml; what is empty and optional is left out."""
    content = dataclasses.asdict(config)
    other = content.pop("other")
    kept = {key: value for key, value in content.items() if value is not None} | other
    path.write_text(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True), "utf-8")


def handle_problem(handle: str) -> str | None:
    """Why `handle` cannot be one; None when it can."""
    if HANDLE.fullmatch(handle):
        return None
    return (
        f"the handle {handle!r} must have 1 to 64 letters, digits, hyphens and underscores, "
        "and not begin with a hyphen"
    )


def entry_point_problem(entry_point: str) -> str | None:
    """Why `entry_point` cannot be one; None when it can."""
    if _ENTRY_POINT.fullmatch(entry_point):
        return None
    return f"the entry_point {entry_point!r} must be module:attribute, as in {DEFAULT_ENTRY_POINT}"


def _problem(content: dict[Any, Any]) -> str | None:
    for key in _TEXTS:
        value = content.get(key)
        if value is not None and not isinstance(value, str):
            return f"{key} must be text, not {value!r} (put it in quotes)"
    if not content.get("handle"):
        return "the line `handle: NAME` is missing"
    if content.get("public") is not None and not isinstance(content["public"], bool):
        return "public must be true or false"
    if content.get("owner") and not HANDLE.fullmatch(content["owner"]):
        return f"the owner {content['owner']!r} is no organisation's name"
    entry_point = content.get("entry_point") or DEFAULT_ENTRY_POINT
    return handle_problem(content["handle"]) or entry_point_problem(entry_point)
