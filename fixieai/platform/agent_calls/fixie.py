"""Calls to agents in the original protocol: handshake, funcs, standalone queries.

What an agent answers is untrusted: it is read with byte and time limits and parsed into known shapes.
"""

import asyncio
import contextlib
import dataclasses
import json
import time
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

import aiohttp
import pydantic
import yaml

from fixieai import errors
from fixieai.platform.agent_calls import answers
from fixieai.protocol import metadata
from fixieai.protocol.messages import AgentResponse, Message
from fixieai.web import egress

_HANDSHAKE_SECONDS = 10.0
_MAXIMUM_HANDSHAKE_BYTES = 2 * 1024 * 1024
_FAILURES_TO_OPEN = 5
_OPEN_SECONDS = 10.0
_MOST_CIRCUITS = 10_000
_NO_HANDSHAKE = (404, 405, 501)
ReachabilityReport: TypeAlias = Callable[[str, str, bool], None]
_MESSAGE_ADAPTER = pydantic.TypeAdapter(Message)


@dataclass(slots=True)
class _Circuit:
    """Consecutive failures to reach one address. While open, calls to it fail at once.

    `is_known_good`: the last call reached it, and that was reported.
    """

    failures: int = 0
    open_until: float = 0.0
    is_known_good: bool = False


@dataclass(frozen=True, slots=True)
class AgentAddress:
    """One agent as one person's query reaches it. `seconds` bounds each call in all.

    `is_hosted`: the address is not its owner's choice, but that of a process of this platform.
    `is_own`: the person may know where it is; for others errors do not say.
    """

    agent_id: str
    url: str
    token: str
    seconds: float
    is_hosted: bool = False
    is_own: bool = True

    @property
    def shown(self) -> str:
        """As errors name it."""
        return f"{self.agent_id} at {self.url}" if self.is_own and not self.is_hosted else self.agent_id


class AgentCaller:
    """Keeps one pool of connections to all agents, and one to those that run here.

    Only the first one goes by what addresses owners may choose.
    """

    def __init__(self, session: aiohttp.ClientSession, hosted: aiohttp.ClientSession) -> None:
        self._session = session
        self._hosted = hosted
        self._circuits: dict[str, _Circuit] = {}
        self._report: ReachabilityReport | None = None

    def report_to(self, report: ReachabilityReport) -> None:
        """`report(agent_id, url, is_reachable)` learns when an agent's address answers again, or no more."""
        self._report = report

    async def close(self) -> None:
        await self._session.close()
        await self._hosted.close()

    async def handshake(self, agent: AgentAddress) -> metadata.AgentMetadata | None:
        """What the agent says of itself, or None where it has no handshake.

        Raises:
            AgentUnavailable: it could not be reached, or what it answered cannot be used.
        """
        limited = dataclasses.replace(agent, seconds=_HANDSHAKE_SECONDS)
        async with self._exchange(limited, "GET", "/", None, "") as response:
            if response.status in _NO_HANDSHAKE:
                return None
            body = await answers.read(response, _MAXIMUM_HANDSHAKE_BYTES)
        if response.status != 200:
            raise errors.AgentUnavailable(_refusal(agent, response.status))
        return await asyncio.to_thread(_parse_handshake, agent, body)

    async def call_func(
        self, agent: AgentAddress, func_name: str, message: Message, idempotency_key: str
    ) -> AgentResponse:
        """What the func answered, its own errors included.

        Raises:
            AgentUnavailable: it could not be reached, took too long, or its answer cannot be used.
        """
        path = "/" + urllib.parse.quote(func_name, safe="")
        async with self._exchange(agent, "POST", path, _body(message, agent), idempotency_key) as response:
            body = await answers.read(response)
        return _parse_response(agent, response.status, body)

    async def ask_standalone(
        self, agent: AgentAddress, message: Message, idempotency_key: str
    ) -> AsyncGenerator[AgentResponse, None]:
        """Each answer of a standalone agent as it arrives; the last one is the answer.

        Raises:
            AgentUnavailable: as for `call_func`, or it answered nothing.
        """
        is_empty = True
        async with self._exchange(agent, "POST", "/", _body(message, agent), idempotency_key) as response:
            async for line in answers.read_lines(response):
                is_empty = False
                yield _parse_response(agent, response.status, line)
        if is_empty and response.status != 200:
            raise errors.AgentUnavailable(_refusal(agent, response.status))
        if is_empty:
            raise errors.AgentUnavailable(f"The agent {agent.agent_id} answered nothing.")

    @contextlib.asynccontextmanager
    async def _exchange(
        self, agent: AgentAddress, method: str, path: str, body: bytes | None, idempotency_key: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        circuit = self._circuit(agent.url)
        if circuit.open_until > time.monotonic():
            raise errors.AgentUnavailable(_unreachable(agent))
        headers = {"Authorization": f"Bearer {agent.token}", "Content-Type": "application/json"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        url = egress.check_url(agent.url.rstrip("/") + path)
        session = self._hosted if agent.is_hosted else self._session
        try:
            async with (
                asyncio.timeout(agent.seconds),
                session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                yield response
        except TimeoutError as error:
            raise errors.AgentUnavailable(
                f"The agent {agent.agent_id} did not answer within {agent.seconds:g} seconds."
            ) from error
        except errors.Forbidden as error:  # it names the address
            if agent.is_own:
                raise
            raise errors.AgentUnavailable(_unreachable(agent)) from error
        except (aiohttp.ClientError, OSError) as error:
            self._count_failure(agent, circuit)
            raise errors.AgentUnavailable(_unreachable(agent)) from error
        else:
            circuit.failures = 0
            if not circuit.is_known_good:
                circuit.is_known_good = True
                self._tell(agent, is_reachable=True)

    def _circuit(self, url: str) -> _Circuit:
        """Anybody may name ever new addresses: the one that was new longest ago makes room."""
        if url not in self._circuits and len(self._circuits) >= _MOST_CIRCUITS:
            del self._circuits[next(iter(self._circuits))]
        return self._circuits.setdefault(url, _Circuit())

    def _count_failure(self, agent: AgentAddress, circuit: _Circuit) -> None:
        circuit.is_known_good = False
        circuit.failures += 1
        if circuit.failures >= _FAILURES_TO_OPEN:
            circuit.open_until = time.monotonic() + _OPEN_SECONDS
        if circuit.failures == _FAILURES_TO_OPEN:
            self._tell(agent, is_reachable=False)

    def _tell(self, agent: AgentAddress, *, is_reachable: bool) -> None:
        if self._report is not None and not agent.is_hosted:
            self._report(agent.agent_id, agent.url, is_reachable)


def _unreachable(agent: AgentAddress) -> str:
    hint = "Is its program running?"
    if agent.is_hosted and agent.is_own:
        hint = f"Its log may say why: `fixie agent logs {agent.agent_id}`."
    return f"The agent {agent.shown} could not be reached. {hint}"


def _refusal(agent: AgentAddress, status: int) -> str:
    if status in (401, 403):
        return (
            f"The agent {agent.shown} refused this platform's token ({status}). Its "
            "FIXIE_API_URL must name this platform, its FIXIE_ALLOWED_AGENT_ID must be unset or "
            f"{agent.agent_id}, and the clocks of both machines must agree."
        )
    return f"The agent {agent.shown} answered with status {status}."


def _body(message: Message, agent: AgentAddress) -> bytes:
    """The current shape, with the older one (`text` and `embeds` on top) beside it."""
    content = _MESSAGE_ADAPTER.dump_python(message, mode="json")
    return json.dumps({"message": content, "access_token": agent.token, **content}).encode("utf-8")


def _parse_handshake(agent: AgentAddress, body: bytes) -> metadata.AgentMetadata:
    try:
        return metadata.parse_metadata(answers.parse_yaml(body))
    except (errors.UnprocessableContent, yaml.YAMLError, ValueError, RecursionError) as error:
        reason = error.message if isinstance(error, errors.FixieError) else "it is not a YAML mapping"
        raise errors.AgentUnavailable(
            f"The handshake of the agent {agent.shown} cannot be used: {reason}"
        ) from error


def _parse_response(agent: AgentAddress, status: int, body: bytes) -> AgentResponse:
    try:
        return answers.parse_response(body)
    except ValueError as error:
        if status != 200:
            raise errors.AgentUnavailable(_refusal(agent, status)) from error
        raise errors.AgentUnavailable(
            f"The agent {agent.agent_id} answered something that is not a response: "
            'expected JSON like {"message": {"text": "..."}}.'
        ) from error
