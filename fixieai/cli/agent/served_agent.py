"""One agent being served on this machine: its process, its address, its entry at the platform."""

import pathlib
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from fixieai import errors
from fixieai.cli import processes
from fixieai.cli.agent import deployed_agent
from fixieai.cli.agent.agent_config import AgentConfig
from fixieai.cli.agent.place import Place
from fixieai.client.client import FixieClient
from fixieai.web import server

_LOADER = "fixieai.cli.agent.loader"
_LOAD_SECONDS = 60.0
_TUNNEL_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where an agent's code is: `file` is its agent.yaml, `variables` the environment it runs in."""

    file: pathlib.Path
    config: AgentConfig
    variables: Mapping[str, str]
    python: str = sys.executable


class ServedAgent:
    """Runs the agent's code in a process of its own, which may be replaced while callers wait.

    The socket is ours and stays open: a caller that comes while the code is reloaded is answered by the
    new code. Use as a context manager: leaving it stops the process and tells the platform.
    """

    def __init__(
        self,
        client: FixieClient,
        source: Source,
        listening: socket.socket,
        log: IO[bytes] | None = None,
        *,
        callers_of: str | None = None,
    ) -> None:
        """`callers_of` is the address whose callers are answered, where it is not the socket's own."""
        self._client = client
        self._source = source
        self._listening = listening
        self._log = log
        self._callers_of = callers_of
        known = client.get_agent(source.config.agent_id)
        self.agent_id = deployed_agent.id_of(client, known, source.config)
        self.url = server.url_of(listening)
        self._child: processes.Child | None = None
        self._place = Place(client, self.agent_id, _about(source.config))
        self.registrations = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with processes.uninterrupted():
            self._place.leave()
            self.stop()
            self._listening.close()

    @property
    def exit_code(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._child.exit_code if self._child else None

    @property
    def problem(self) -> str | None:
        """Why the platform does not send queries here any more; None while it does."""
        return self._place.problem

    def start(self) -> None:
        """Starts the process; `register` waits for it."""
        variables = {
            **self._source.variables,
            "FIXIE_API_URL": self._client.url,
            "FIXIE_ALLOWED_AGENT_ID": self.agent_id,
        }
        arguments = [_LOADER, str(self._listening.fileno()), self._source.file.name]
        arguments += [self._callers_of] if self._callers_of else []
        self._child = processes.Child(
            arguments,
            variables,
            folder=self._source.file.parent,
            listening=self._listening,
            log=self._log,
            python=self._source.python,
        )

    def chat_page(self) -> str:
        """The web page to chat with the agent, signed in once."""
        page = self._client.get_agent_page_url(self.agent_id)
        return self._client.page_with_code(page)

    def stop(self) -> None:
        """Stops the process, if there is one."""
        if self._child:
            self._child.stop()

    def register(self) -> None:
        """Waits until the code is loaded, and lets the platform shake hands with it.

        Raises:
            AgentUnavailable: the code did not load, or the platform does not reach it.
        """
        if self._child is None or self._child.wait_until_ready(_LOAD_SECONDS) is None:
            raise errors.AgentUnavailable(f"{self.agent_id} could not be started")
        # The name of a tunnel that was just opened is not known everywhere at once.
        self._place.register(self.url, patience_seconds=_TUNNEL_SECONDS if self._callers_of else 0)
        self.registrations += 1

    def move(self, url: str) -> None:
        """The platform finds the agent at `url` from now on. Raises as `register`."""
        self._place.register(url, patience_seconds=_TUNNEL_SECONDS)
        self.url = url

    def sample_query(self) -> str | None:
        """A command that asks the agent what it says it answers."""
        return deployed_agent.sample_query(self._client, self.agent_id)


def _about(config: AgentConfig) -> dict[str, str]:
    named = {} if config.name is None else {"name": config.name}
    return {"description": config.description, "moreInfoUrl": config.more_info_url, **named}
