"""A platform in this process, with a home that is gone afterwards."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import requests

from fixieai.agents import token
from fixieai.agents.agent_base import AgentBase
from fixieai.agents.serving import guarded_app
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import LOCAL_USERNAME, DailyLimits, QueryLimits, Settings
from fixieai.protocol import embed_connections
from fixieai.testing import answers
from fixieai.testing.answers import Answer
from fixieai.web import server

_HOST = "127.0.0.1"
_SECONDS = 60
_LIMITS = QueryLimits()
_FEW_SHOT_MODEL = ModelSettings(default_model="few-shot")
_NO_DAILY_LIMITS = DailyLimits(queries=None, storage_calls=None)


class Platform:
    """A running platform as one of its users: the local one, unless told. Made by `platform()`."""

    def __init__(
        self, url: str, api_key: str, stack: contextlib.ExitStack, username: str = LOCAL_USERNAME
    ) -> None:
        self.url = url
        self.api_key = api_key
        self.username = username
        self._stack = stack

    def add_user(self, username: str) -> "Platform":
        """Adds somebody, and gives the same platform as they see it, with an API key of theirs."""
        self.call("POST", "/api/users", {"username": username})
        key = self.call("POST", f"/api/users/{username}/keys", {"name": "test"})["key"]
        return Platform(self.url, key, self._stack, username)

    def serve(self, agent: AgentBase, handle: str) -> str:
        """Serves the agent on a free port, registers it, and returns its id.

        The agent accepts this platform's tokens from now on, and only those made for this id.
        """
        agent.validate()
        agent_id = f"{self.username}/{handle}"
        agent._jwks_client = token.JwksClient(f"{self.url}/.well-known/jwks.json")
        agent._allowed_agent_id = agent_id
        embed_connections.trust_platform(self.url)
        running = server.BackgroundServer(guarded_app(agent, _HOST), server.bind(_HOST, 0))
        self._stack.enter_context(running)
        self.register(handle, running.url)
        return agent_id

    def register(self, handle: str, url: str) -> dict[str, Any]:
        """Makes an agent known that runs elsewhere."""
        agent: dict[str, Any] = self.call("PUT", f"/api/agents/{self.username}/{handle}", {"url": url})
        return agent

    def ask(self, handle: str, question: str, session: str | None = None) -> Answer:
        """Asks an agent; without a session, in a new one."""
        body = {"message": {"text": question}, "session": session, "stream": True, "steps": True}
        with requests.post(
            f"{self.url}/api/agents/{self.username}/{handle}",
            json=body,
            headers=self._headers(),
            timeout=_SECONDS,
            stream=True,
        ) as response:
            response.raise_for_status()
            return answers.read(response.iter_lines())

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One REST call as the platform's user; returns the JSON of the answer.

        Raises:
            requests.HTTPError: the platform refused; the message holds its reason.
        """
        response = requests.request(
            method, self.url + path, json=body, headers=self._headers(), timeout=_SECONDS
        )
        if not response.ok:
            raise requests.HTTPError(f"{method} {path}: {response.status_code} {response.text}")
        return response.json() if response.content else None

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}


@contextlib.contextmanager
def platform(
    models: ModelSettings = _FEW_SHOT_MODEL,
    limits: QueryLimits = _LIMITS,
    daily_limits: DailyLimits = _NO_DAILY_LIMITS,
) -> Iterator[Platform]:
    """A platform on a free port, and all that it serves, until the block ends.

    Nothing is limited by the day unless `daily_limits` are given.
    """
    with tempfile.TemporaryDirectory(prefix="fixie-") as folder, contextlib.ExitStack() as stack:
        home = pathlib.Path(folder)
        settings = Settings(home=home, port=0, models=models, limits=limits, daily_limits=daily_limits)
        running = serving.background(settings)
        stack.enter_context(running)
        yield Platform(running.url, serving.local_key(home), stack)


def ask(agent: AgentBase, question: str, handle: str = "agent") -> Answer:
    """One question to one agent, on a platform of its own; the answer holds its attachments."""
    with platform() as running:
        running.serve(agent, handle)
        answer = running.ask(handle, question)
        for embed in answer.embeds.values():
            embed.content = embed.content  # where it is now will be gone with the platform
        return answer
