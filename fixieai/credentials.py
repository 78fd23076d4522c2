"""Where the API key of the person at this machine comes from, and the folder that holds local state.

Order: `FIXIE_API_KEY`; the config file's entry for the platform's URL; for a platform on this machine
the key that it wrote for its local user; the config file's key for any platform. That last one may be
left from another platform, and must not be what keeps somebody out of their own.
"""

import os
import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Any

import platformdirs
import yaml

LOCAL_KEY_FILE = "api_key"
_DEFAULT_CONFIG_PATH = "~/.config/fixie/config.yaml"


def home_path() -> pathlib.Path:
    """The folder of the platform on this machine: `FIXIE_HOME`, or the user's data folder."""
    return pathlib.Path(os.environ.get("FIXIE_HOME") or platformdirs.user_data_path("fixie")).expanduser()


def config_path() -> pathlib.Path:
    return pathlib.Path(os.environ.get("FIXIE_CONFIG_PATH") or _DEFAULT_CONFIG_PATH).expanduser()


def read_config() -> Mapping[str, Any]:
    """The config file as a mapping, empty when there is none.

    Raises:
        PermissionError: the file exists and cannot be read or is not a YAML mapping.
    """
    path = config_path()
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:  # its text would quote the file, which holds keys
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise PermissionError(f"cannot read the config file {path}: it is not YAML{where}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PermissionError(f"cannot read the config file {path}: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise PermissionError(f"the config file {path} must hold a YAML mapping")
    return content


def _key_for_url(config: Mapping[str, Any], api_url: str) -> str | None:
    entries = config.get("environment_auth_tokens") or []
    if not isinstance(entries, list):
        raise PermissionError(f"environment_auth_tokens in the config file {config_path()} must be a list")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("url") == api_url and entry.get("auth_token"):
            return _usable(entry.get("auth_token"), f"auth_token for {api_url} in {config_path()}")
    return None


def _key_for_any(config: Mapping[str, Any]) -> str | None:
    return _usable(config.get("fixie_api_key"), f"fixie_api_key in {config_path()}")


def _usable(key: object, where: str) -> str | None:
    """A key as it can be sent in a header. The message never holds it."""
    text = key.strip() if isinstance(key, str) else key or ""
    if not isinstance(text, str) or not (text.isascii() and text.isprintable()):
        raise PermissionError(f"{where} is not an API key: it holds characters that no key has")
    return text or None


def is_local(api_url: str) -> bool:
    return urllib.parse.urlsplit(api_url).hostname in ("127.0.0.1", "localhost", "::1")


def _local_key(api_url: str) -> str | None:
    if not is_local(api_url):
        return None
    try:
        key = (home_path() / LOCAL_KEY_FILE).read_text("utf-8", "replace")
    except FileNotFoundError:
        return None
    return _usable(key, f"what {home_path() / LOCAL_KEY_FILE} holds")


def find_api_key(api_url: str) -> str | None:
    """The API key for the platform at `api_url`, or None.

    Raises:
        PermissionError: a file that should hold the key exists and cannot be read, or what should
            be a key cannot be one.
    """
    if key := _usable(os.environ.get("FIXIE_API_KEY"), "FIXIE_API_KEY"):
        return key
    config = read_config()
    return _key_for_url(config, api_url) or _local_key(api_url) or _key_for_any(config)
