"""What an agent is registered as at an OAuth provider, and what goes wrong there."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass, field
from typing import Any

from fixieai import errors

_FIELDS = ("client_id", "client_secret", "auth_uri", "token_uri")


class OAuthError(errors.UpstreamError):
    """The OAuth provider did not give a token."""

    def __init__(self, message: str | None = None, error_code: str = "") -> None:
        """`error_code` is the provider's, as in `invalid_grant`; "" when it gave none."""
        super().__init__(message)
        self.error_code = error_code


@dataclass
class OAuthParams:
    """A client registered at an OAuth provider: where users say yes, where tokens are, what is asked for."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_uri: str
    token_uri: str
    scopes: list[str]

    @classmethod
    def from_client_secrets_file(cls, path: str | pathlib.Path, scopes: list[str]) -> OAuthParams:
        """The client of a `client_secrets.json` file as Google's console hands it out.

        Raises:
            OSError: the file cannot be read.
            ValueError: it does not hold a `web` or `installed` client with all that is needed.
        """
        content = json.loads(pathlib.Path(path).read_text("utf-8"))
        clients = content if isinstance(content, dict) else {}
        client = clients.get("web") or clients.get("installed") or {}
        fields: dict[str, Any] = {}
        if isinstance(client, dict):
            fields = {name: client.get(name) for name in _FIELDS}
        if not fields or not all(isinstance(value, str) for value in fields.values()):
            raise ValueError(f'{path} must hold a client, "web" or "installed", with {", ".join(_FIELDS)}')
        return cls(**fields, scopes=scopes)
