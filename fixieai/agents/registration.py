"""Telling a platform where an agent runs."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests

from fixieai import credentials, errors

_SECONDS = 15
_SECONDS_FOR_STATUS = 2.0
# A platform that has its port answers once it has started, and that may take a while.
_SECONDS_TO_START = 20.0
# How long the platform takes an agent for running after it heard from it the last time.
_LEASE_SECONDS = 15
_RENEWAL_SECONDS = 5
_SERVICE = "fixie-platform"
_OTHER_HOME = (
    "It was started with another FIXIE_HOME, or by another user: set FIXIE_HOME to the same folder, or "
    "set FIXIE_API_KEY."
)


@dataclass(frozen=True)
class Status:
    """What answers at an address. Without `is_platform` it is some other program."""

    is_reachable: bool
    is_platform: bool


def status(api_url: str, seconds: float = _SECONDS_FOR_STATUS) -> Status:
    """What answers at this address, within so many seconds."""
    try:
        with _http(api_url) as http:
            content = http.get(f"{api_url}/healthz", timeout=seconds).json()
    except requests.ConnectionError:
        return Status(is_reachable=False, is_platform=False)
    except (requests.RequestException, ValueError):
        return Status(is_reachable=True, is_platform=False)
    is_platform = isinstance(content, dict) and content.get("service") == _SERVICE
    return Status(is_reachable=True, is_platform=is_platform)


def is_there(api_url: str) -> bool:
    """Whether a platform answers at this address, now or once it has started.

    Raises:
        ConfigurationError: something else does; the message says what to do.
    """
    found = status(api_url, _SECONDS_TO_START)
    if found.is_reachable and not found.is_platform:
        raise errors.ConfigurationError(
            f"What answers at {api_url} is not a Fixie platform. Stop that program, or start a platform "
            "elsewhere (`fixie platform serve --port ...`) and set FIXIE_API_URL to its address."
        )
    return found.is_platform


class Renewal(enum.Enum):
    """What became of an agent's registration."""

    RENEWED = "renewed"
    ENDED = "ended"
    """The agent is there, and nobody serves it."""
    REPLACED = "replaced"
    """Another program serves it."""
    DELETED = "deleted"


@dataclass(frozen=True)
class Registrar:
    """Registers one person's agents at one platform."""

    api_url: str

    def user(self) -> dict[str, Any]:
        """`{"username", "defaultModel", ...}` of the person whose key this machine has."""
        return self._call("GET", "/api/user")

    def register(self, username: str, handle: str, agent_url: str) -> None:
        """Makes the agent known at this address, for 15 seconds unless it is renewed."""
        body = {"url": agent_url, "leaseSeconds": _LEASE_SECONDS}
        self._call("PUT", f"/api/agents/{username}/{handle}", body)

    def renew(self, username: str, handle: str, agent_url: str) -> Renewal:
        """Says that the agent still runs at this address."""
        path = f"/api/agents/{username}/{handle}"
        body = {"url": agent_url, "leaseSeconds": _LEASE_SECONDS}
        status_code, content = self._send("POST", f"{path}/lease", body, _RENEWAL_SECONDS)
        if status_code == HTTPStatus.CONFLICT:
            return Renewal.REPLACED
        if status_code == HTTPStatus.NOT_FOUND:
            is_there = self._send("GET", path)[0] != HTTPStatus.NOT_FOUND
            return Renewal.ENDED if is_there else Renewal.DELETED
        self._answer(status_code, content)
        return Renewal.RENEWED

    def unregister(self, username: str, handle: str, agent_url: str) -> None:
        """Says that the agent no longer runs there, unless it was registered elsewhere meanwhile."""
        path = f"/api/agents/{username}/{handle}"
        if self._call("GET", path)["url"] == agent_url:
            self._call("PUT", path, {"url": None})

    def chat_url(self, agent_id: str) -> str:
        """The address of the web page to chat with the agent, with a code in it that opens it once."""
        code = self._call("POST", "/api/browser-codes")["code"]
        return f"{self.api_url}/agents/{agent_id}#code={code}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._answer(*self._send(method, path, body))

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float = _SECONDS
    ) -> tuple[int, object]:
        headers = {"Authorization": f"Bearer {_key(self.api_url)}"}
        try:
            with _http(self.api_url) as http:
                response = http.request(
                    method, self.api_url + path, json=body, headers=headers, timeout=seconds
                )
            return response.status_code, response.json()
        except (requests.RequestException, ValueError) as error:
            raise errors.ServiceUnavailable(f"The platform at {self.api_url} does not answer.") from error

    def _answer(self, status_code: int, content: object) -> dict[str, Any]:
        if status_code < HTTPStatus.BAD_REQUEST and isinstance(content, dict):
            return content
        raise errors.ConfigurationError(_reason(self.api_url, status_code, content))


def _http(api_url: str) -> requests.Session:
    """For a platform on this machine no proxy of the environment is asked, and no .netrc."""
    http = requests.Session()
    http.trust_env = not credentials.is_local(api_url)
    return http


def _key(api_url: str) -> str:
    try:
        key = credentials.find_api_key(api_url)
    except OSError as error:
        raise errors.ConfigurationError(f"The API key cannot be read: {error}") from error
    if key is None:
        raise errors.ConfigurationError(f"There is no API key for the platform at {api_url}. {_OTHER_HOME}")
    return key


def _reason(api_url: str, status_code: int, content: object) -> str:
    problem = content.get("error") if isinstance(content, dict) else None
    text, code = (problem.get("message"), problem.get("code")) if isinstance(problem, dict) else (None, None)
    if code == errors.InvalidCredential.code:
        return f"The platform at {api_url} does not accept the API key of this machine. {_OTHER_HOME}"
    return f"The platform at {api_url} refused ({status_code}): {text or 'it gave no reason'}"
