"""Agents that call OpenAI with the real `openai` package, through a platform to a scripted server."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import openai
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform.settings import DailyLimits, QueryLimits
from fixieai.testing.model_server import ModelServer, Script

KEY = "sk-of-the-platform"


NO_RETRIES = {"max_retries": 0, "timeout": 60.0}


@dataclass
class Agent:
    """An agent whose answer is what `act` returns, given a query token; and the token it got last."""

    platform: testing.Platform
    act: Callable[[str], str] = lambda token: token
    tokens: list[str] = field(default_factory=list)
    clients: list[openai.OpenAI] = field(default_factory=list)

    def serve(self, handle: str = "writer") -> None:
        def answer(query: fixieai.AgentQuery) -> str:
            self.tokens.append(query.access_token or "")
            return self.act(self.tokens[-1])

        self.platform.serve(fixieai.StandaloneAgent(answer), handle)
        self.base_url = f"{self.platform.url}/api/openai-proxy/v1"
        self.platform.ask(handle, "Who am I?")

    def post(self, path: str, body: object) -> requests.Response:
        return self.request("POST", path, json=body)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Without the package, which has no methods for what it does not know."""
        headers = {"Authorization": f"Bearer {self.tokens[-1]}"}
        return requests.request(method, f"{self.base_url}/{path}", headers=headers, timeout=60, **options)

    def client(self, key: str | None = None) -> openai.OpenAI:
        api_key = key or self.tokens[-1]
        client = openai.OpenAI(base_url=self.base_url, api_key=api_key, **NO_RETRIES)  # type: ignore[arg-type]
        self.clients.append(client)
        return client

    def used(self, at_least: int = 1) -> int:
        """Tokens; looked at again for a while, since a stream is recorded when its reader has left."""
        until = time.monotonic() + 60
        while True:
            used = int(self.platform.call("GET", "/api/usage")["tokens"]["used"])
            if used >= at_least or time.monotonic() > until:
                return used
            time.sleep(0.02)


@contextlib.contextmanager
def proxied(script: Script, key: str | None = KEY, **limits: Any) -> Iterator[tuple[Agent, ModelServer]]:
    """An agent, and the server it reaches through the platform. `limits`: see `proxied_to`."""
    with (
        ModelServer(script, models=("scripted", "other")) as server,
        proxied_to(server.base_url, key, **limits) as agent,
    ):
        yield agent, server


@contextlib.contextmanager
def proxied_to(base_url: str, key: str | None = KEY, *, seconds: int = 60, **limits: Any) -> Iterator[Agent]:
    """`limits` are those of a day; `query_tokens` of a query, `seconds` of a call."""
    query_limits = QueryLimits(tokens=limits.pop("query_tokens", None))
    variables = {"OPENAI_BASE_URL": base_url, "FIXIE_LLM_TOTAL_SECONDS": str(seconds)}
    models = ModelSettings.from_environment(variables | ({"OPENAI_API_KEY": key} if key else {}))
    with testing.platform(models, query_limits, DailyLimits(**limits)) as platform:
        agent = Agent(platform)
        agent.serve()
        yield agent
        for client in agent.clients:
            client.close()


def ask(client: openai.OpenAI, **options: Any) -> Any:
    messages: Any = [{"role": "user", "content": "Hello"}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **options)
