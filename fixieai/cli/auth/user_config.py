"""The user's config file, `~/.config/fixie/config.yaml` or where `FIXIE_CONFIG_PATH` says: the API keys."""

from __future__ import annotations

import os
import pathlib
import tempfile
from dataclasses import dataclass, field
from typing import Any

import yaml

from fixieai import credentials

_OWN_KEYS = ("fixie_api_key", "environment_auth_tokens")


@dataclass
class EnvironmentAuthToken:
    """The API key for one platform."""

    url: str
    auth_token: str


@dataclass
class UserConfig:
    """What the file says; what it says besides our keys is kept as it is."""

    fixie_api_key: str | None = None
    environment_auth_tokens: list[EnvironmentAuthToken] = field(default_factory=list)
    other: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls) -> UserConfig:
        """Reads the file; an empty config when there is none.

        Raises:
            PermissionError: the file cannot be read, or is not a YAML mapping.
        """
        content = dict(credentials.read_config())
        tokens = [
            EnvironmentAuthToken(str(entry["url"]), str(entry["auth_token"]))
            for entry in content.get("environment_auth_tokens") or []
            if isinstance(entry, dict) and entry.get("url") and entry.get("auth_token")
        ]
        other = {key: value for key, value in content.items() if key not in _OWN_KEYS}
        return cls(content.get("fixie_api_key"), tokens, other)

    def set_key(self, url: str, api_key: str) -> None:
        """Takes `api_key` for the platform at `url`, in place of the one it had."""
        self.environment_auth_tokens = [entry for entry in self.environment_auth_tokens if entry.url != url]
        self.environment_auth_tokens.append(EnvironmentAuthToken(url, api_key))

    def save(self) -> pathlib.Path:
        """Writes the file, readable by its owner alone from its first byte, and gives its path."""
        content: dict[str, Any] = dict(self.other)
        if self.fixie_api_key is not None:
            content["fixie_api_key"] = self.fixie_api_key
        if self.environment_auth_tokens:
            content["environment_auth_tokens"] = [vars(entry) for entry in self.environment_auth_tokens]
        path = credentials.config_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, yaml.safe_dump(content, sort_keys=False))
        return path


def _replace(path: pathlib.Path, text: str) -> None:
    """Whole or not at all; mkstemp makes the file 0600."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = pathlib.Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
