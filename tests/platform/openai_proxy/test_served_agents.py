"""Agents in processes of their own, which know nothing of the proxy."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from openai_agents import proxied

from fixieai import testing
from fixieai.testing.model_server import Says

_SERVED = """
import fixieai
import openai

client = openai.OpenAI()


def answer(query: str) -> str:
    messages = [{"role": "user", "content": query}]
    first = client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content
    return client.responses.create(model="gpt-4o", input=first).output_text


agent = fixieai.StandaloneAgent(answer)
"""


@contextlib.contextmanager
def served(folder: pathlib.Path, platform: testing.Platform) -> Iterator[str]:
    """The agent of the folder in a process of its own, as `fixie serve` and deployments run it."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "FIXIE_"))
    }
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = subprocess.Popen(
            [sys.executable, "-m", "fixieai.cli.agent.loader", str(listening.fileno())],
            cwd=folder,
            env={**variables, "FIXIE_API_URL": platform.url, "FIXIE_ALLOWED_AGENT_ID": "local/own"},
            pass_fds=[listening.fileno()],
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(60)


def test_an_agent_without_a_key_asks_openai_as_if_it_had_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "agent.yaml").write_text("handle: own\n", "utf-8")
    (tmp_path / "main.py").write_text(_SERVED, "utf-8")

    def echo(body: dict[str, Any]) -> Says:
        asked = body["input"] if "input" in body else body["messages"][-1]["content"]
        return Says(f"You said {asked}", usage=(7, 3))

    with proxied(echo) as (agent, _), served(tmp_path, agent.platform) as url:
        agent.platform.register("own", url)
        assert agent.platform.ask("own", "tea").text == "You said You said tea"
        usage = agent.platform.call("GET", "/api/usage")

    assert [(row["agentId"], row["promptTokens"]) for row in usage["agents"]] == [("local/own", 14)]
