"""Makes clients of the `openai` package send the token of the request being answered, in any version.

Nothing is imported for that: the package is changed when the author imports it, or now if they have.
A token is looked up while the headers of a call are made, and kept nowhere: calls for several people
at once share a client.
"""

import functools
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeAlias

_PACKAGE = "openai"
_MARK = "_fixie_sends_request_tokens"

ChooseKey: TypeAlias = Callable[[str, str], str]
"""From the key of a client and the base URL it talks to: the key to send."""


def patch(choose: ChooseKey) -> None:
    """Once is enough; again is harmless."""
    module = sys.modules.get(_PACKAGE)
    if module is not None:
        _patch_module(module, choose)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(choose))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the package where everybody does, and changes it once it is loaded."""

    def __init__(self, choose: ChooseKey) -> None:
        self._choose = choose

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _PACKAGE:
            return None
        # Who only looks whether it is there does so, too: this stays for the import.
        others = tuple(finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            load, choose = spec.loader.exec_module, self._choose

            def exec_module(module: ModuleType) -> None:
                load(module)
                _patch_module(module, choose)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _patch_module(module: ModuleType, choose: ChooseKey) -> None:
    if hasattr(module, _MARK):
        return
    setattr(module, _MARK, True)
    if hasattr(module, "OpenAI"):
        _patch_client(module.OpenAI, choose)
        _patch_client(module.AsyncOpenAI, choose)
    elif hasattr(module, "api_requestor"):
        _patch_requestor(module.api_requestor.APIRequestor, choose)


def _patch_client(client: Any, choose: ChooseKey) -> None:
    """From version 1 on: the properties that make a client's headers, which differ between versions."""
    for name in ("auth_headers", "_bearer_auth"):
        headers = vars(client).get(name)
        if isinstance(headers, property) and headers.fget is not None:
            setattr(client, name, property(functools.partial(_with_key, headers.fget, choose)))


def _with_key(make: Callable[[Any], dict[str, str]], choose: ChooseKey, client: Any) -> dict[str, str]:
    headers = make(client)
    if not isinstance(client.api_key, str) or "Authorization" not in headers:
        return headers
    key = choose(client.api_key, str(client.base_url))
    return headers if key == client.api_key else {**headers, "Authorization": f"Bearer {key}"}


def _patch_requestor(requestor: Any, choose: ChooseKey) -> None:
    """Below version 1 each call makes one of these."""
    original = requestor.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.api_key = choose(self.api_key, str(self.api_base))

    requestor.__init__ = init
