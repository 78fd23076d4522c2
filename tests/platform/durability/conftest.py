"""A model, agents and platforms as processes that are killed; every call of both is counted by its key."""

import contextlib
import http.server
import pathlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from durable_platforms import SHARED, Process, Reached
from scripted_world import Calls, handler


@dataclass
class World:
    """The model and the agents, which outlive the platforms that call them."""

    calls: Calls
    url: str
    processes: list[Process] = field(default_factory=list)

    @property
    def model(self) -> dict[str, str]:
        """The variables of a platform that asks this model."""
        return {
            "FIXIE_LLM_BASE_URL": f"{self.url}/v1",
            "FIXIE_DEFAULT_MODEL": "custom/scripted",
            "FIXIE_LLM_RENDERING": "text",
            "FIXIE_DAILY_QUERIES": "0",
        }

    def platform(self, home: pathlib.Path, *, port: int = 0, **variables: str) -> Process:
        """A platform in a process of its own, once it answers."""
        process = Process(home, {**self.model, **variables}, port)
        self.processes.append(process)
        process.wait()
        return process

    def register(self, process: Reached, *agents: str) -> None:
        for agent in agents:
            process.ok("PUT", f"/api/agents/local/{agent}", {"url": f"{self.url}/{agent}"})


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


@pytest.fixture
def world() -> Iterator[World]:
    calls = Calls()
    with contextlib.ExitStack() as stack:
        server = _Server(("127.0.0.1", 0), handler(calls))
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        made = World(calls, f"http://127.0.0.1:{server.server_address[1]}")
        yield made
        calls.let_go()
        for process in made.processes:
            process.close()


@pytest.fixture
def shared(postgres_url: str) -> dict[str, str]:
    """What all platforms of one Postgres database are told; leases are short."""
    return {**SHARED, "FIXIE_DATABASE_URL": postgres_url}


@pytest.fixture
def variables(request: pytest.FixtureRequest) -> Callable[[str], dict[str, str]]:
    """The variables of a platform on an engine."""
    return lambda engine: request.getfixturevalue("shared") if engine == "postgres" else {}
