"""The client for programs on an event loop, asyncio's or trio's.

Nothing is written twice: each method is that of `FixieClient`, `Agent` or `Session`, run in a thread.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import anyio
import anyio.to_thread

from fixieai.client.agent import Agent
from fixieai.client.client import FixieClient
from fixieai.client.session import Session

MAXIMUM_THREADS = 100
_P = ParamSpec("_P")
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
_Sync_co = TypeVar("_Sync_co", covariant=True)
_Method = Callable[Concatenate["_Threaded[_Sync_co]", _P], Awaitable[_Result]]


class _Threaded(Generic[_Sync_co]):
    """An object whose methods block, and the threads to run them in."""

    def __init__(self, sync: _Sync_co, threads: anyio.CapacityLimiter) -> None:
        self._sync = sync
        self._threads = threads

    @property
    def sync(self) -> _Sync_co:
        """The object that blocks: what it knows already can be read from it."""
        return self._sync

    async def _run(self, function: Callable[[], _Result]) -> _Result:
        # What is cancelled runs on to its end or its time-out in its thread, where nobody waits for it.
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=self._threads)

    async def _each(self, items: Callable[[], Iterator[_Item]]) -> AsyncGenerator[_Item, None]:
        iterator = await self._run(items)
        try:
            while found := await self._run(lambda: _next(iterator)):
                yield found[0]
        finally:
            with contextlib.suppress(ValueError):  # its thread still runs, and closes it when it ends
                getattr(iterator, "close", _nothing)()


def _nothing() -> None:
    pass


def _next(iterator: Iterator[_Item]) -> tuple[_Item] | None:
    for item in iterator:
        return (item,)
    return None


def _threaded(method: Callable[Concatenate[_Sync_co, _P], _Result]) -> _Method[_Sync_co, _P, _Result]:
    """The method with its name and arguments, to be awaited."""

    async def call(self: _Threaded[_Sync_co], /, *args: _P.args, **kwargs: _P.kwargs) -> _Result:
        return await self._run(functools.partial(method, self.sync, *args, **kwargs))

    return functools.update_wrapper(call, method)


def _agent(method: Callable[Concatenate[_Sync_co, _P], Agent]) -> _Method[_Sync_co, _P, AsyncAgent]:
    """As `_threaded`, for a method that gives an agent."""

    async def call(self: _Threaded[_Sync_co], /, *args: _P.args, **kwargs: _P.kwargs) -> AsyncAgent:
        found = await self._run(functools.partial(method, self.sync, *args, **kwargs))
        return AsyncAgent(found, self._threads)

    return functools.update_wrapper(call, method)


def _session(method: Callable[Concatenate[_Sync_co, _P], Session]) -> _Method[_Sync_co, _P, AsyncSession]:
    """As `_threaded`, for a method that gives a session."""

    async def call(self: _Threaded[_Sync_co], /, *args: _P.args, **kwargs: _P.kwargs) -> AsyncSession:
        found = await self._run(functools.partial(method, self.sync, *args, **kwargs))
        return AsyncSession(found, self._threads)

    return functools.update_wrapper(call, method)


class AsyncAgent(_Threaded[Agent]):
    """An `Agent` to be awaited; `agent.sync.name` and the like are what is known of it."""

    get_metadata = _threaded(Agent.get_metadata)
    create_agent = _threaded(Agent.create_agent)
    update_agent = _threaded(Agent.update_agent)
    delete_agent = _threaded(Agent.delete_agent)

    async def register(
        self, url: str | None, *, lease_seconds: int | None = None, **description: str
    ) -> None:
        """As `Agent.register`."""
        await self._run(lambda: self.sync.register(url, lease_seconds=lease_seconds, **description))


class AsyncSession(_Threaded[Session]):
    """A `Session` to be awaited."""

    clone = _session(Session.clone)
    page_with_code = _threaded(Session.page_with_code)
    get_metadata = _threaded(Session.get_metadata)
    delete_session = _threaded(Session.delete_session)
    get_embeds = _threaded(Session.get_embeds)
    add_embed = _threaded(Session.add_embed)
    get_messages = _threaded(Session.get_messages)
    get_messages_since_last_time = _threaded(Session.get_messages_since_last_time)
    add_message = _threaded(Session.add_message)
    query = _threaded(Session.query)
    cancel_query = _threaded(Session.cancel_query)

    @property
    def session_id(self) -> str:
        return self.sync.session_id

    def run(self, text: str) -> AsyncGenerator[dict[str, Any], None]:
        """As `Session.run`, for `async for`."""
        return self._each(lambda: self.sync.run(text))

    def streaming_query(self, text: str) -> AsyncGenerator[dict[str, Any], None]:
        """As `Session.streaming_query`, for `async for`. To leave early does not end the query."""
        return self._each(lambda: self.sync.streaming_query(text))


class AsyncFixieClient(_Threaded[FixieClient]):
    """A `FixieClient` to be awaited, for up to 100 calls at a time; further ones wait.

    Use as an async context manager, or `close()` it.

    Raises:
        PermissionError: there is no API key.
    """

    def __init__(self, api_key: str | None = None, *, api_url: str | None = None) -> None:
        """As `FixieClient`."""
        super().__init__(FixieClient(api_key, api_url=api_url), anyio.CapacityLimiter(MAXIMUM_THREADS))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that nothing is using."""
        self.sync.close()

    @property
    def url(self) -> str:
        return self.sync.url

    get_agents = _threaded(FixieClient.get_agents)
    get_agent = _agent(FixieClient.get_agent)
    create_agent = _agent(FixieClient.create_agent)
    get_sessions = _threaded(FixieClient.get_sessions)
    create_session = _session(FixieClient.create_session)
    get_session = _session(FixieClient.get_session)
    get_current_user = _threaded(FixieClient.get_current_user)
    get_current_username = _threaded(FixieClient.get_current_username)
    refresh_agent = _threaded(FixieClient.refresh_agent)
    create_agent_revision = _threaded(FixieClient.create_agent_revision)
    deploy_agent = _threaded(FixieClient.deploy_agent)
    get_current_agent_revision = _threaded(FixieClient.get_current_agent_revision)
    set_current_agent_revision = _threaded(FixieClient.set_current_agent_revision)
    delete_agent_revision = _threaded(FixieClient.delete_agent_revision)
    renew_lease = _threaded(FixieClient.renew_lease)
    get_agent_logs = _threaded(FixieClient.get_agent_logs)
    create_organization = _threaded(FixieClient.create_organization)
    delete_organization = _threaded(FixieClient.delete_organization)
    set_organization_member = _threaded(FixieClient.set_organization_member)
    remove_organization_member = _threaded(FixieClient.remove_organization_member)
    create_api_key = _threaded(FixieClient.create_api_key)
    revoke_api_key = _threaded(FixieClient.revoke_api_key)
    get_usage = _threaded(FixieClient.get_usage)
    post = _threaded(FixieClient.post)

    async def execute(self, document: Any, variable_values: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs one GraphQL operation; see `GraphQLClient.execute`."""
        return await self._run(lambda: self.sync.gqlclient.execute(document, variable_values))

    def get_session_metadata(self) -> AsyncGenerator[dict[str, Any], None]:
        """As `FixieClient.get_session_metadata`, for `async for`."""
        return self._each(self.sync.get_session_metadata)

    def get_agent_revisions(self, handle: str) -> AsyncGenerator[dict[str, Any], None]:
        """As `FixieClient.get_agent_revisions`, for `async for`."""
        return self._each(lambda: self.sync.get_agent_revisions(handle))

    def get_organizations(self) -> AsyncGenerator[dict[str, Any], None]:
        """As `FixieClient.get_organizations`, for `async for`."""
        return self._each(self.sync.get_organizations)

    def get_organization_members(self, handle: str) -> AsyncGenerator[dict[str, Any], None]:
        """As `FixieClient.get_organization_members`, for `async for`."""
        return self._each(lambda: self.sync.get_organization_members(handle))

    def get_api_keys(self) -> AsyncGenerator[dict[str, Any], None]:
        """As `FixieClient.get_api_keys`, for `async for`."""
        return self._each(self.sync.get_api_keys)

    def streaming_post(self, url: str, data: Any = None) -> AsyncGenerator[Any, None]:
        """As `FixieClient.streaming_post`, for `async for`."""
        return self._each(lambda: self.sync.streaming_post(url, data))
