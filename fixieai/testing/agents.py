"""Programs of agents in tests: loading them, waiting for them."""

import importlib.util
import pathlib
import secrets
import time
from types import ModuleType

import requests


def load(path: pathlib.Path | str) -> ModuleType:
    """The module in a file, under a name of its own: many programs are called `main.py`.

    Raises:
        FileNotFoundError, SyntaxError: as for any module.
    """
    path = pathlib.Path(path)
    name = f"{path.stem}_{secrets.token_hex(4)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wait_until_reachable(url: str, seconds: float = 10.0) -> None:
    """Returns once something answers HTTP at the URL.

    Raises:
        TimeoutError: nothing did within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            requests.get(url, timeout=1)
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"nothing answers at {url} after {seconds:g} seconds")
