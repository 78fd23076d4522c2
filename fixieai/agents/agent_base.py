"""What every agent has: registered functions, the token check, and a server."""

from __future__ import annotations

import abc
import os
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fixieai import constants
from fixieai.agents import exceptions, token
from fixieai.agents.agent_func import AgentCorpusFunc, AgentFunc, AgentQueryFunc
from fixieai.agents.oauth import OAuthParams, finish_authorization
from fixieai.protocol import builtin_funcs
from fixieai.protocol.messages import Message
from fixieai.protocol.metadata import AgentMetadata

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import Router

Func = TypeVar("Func", bound=Callable[..., Any])

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8181
_FUNC_NAME = re.compile(r"\w{1,64}")
_UNPINNED = (
    "FIXIE_ALLOWED_AGENT_ID is not set: this agent accepts tokens that were made for any agent, so another "
    "agent could replay the ones it receives. Set it to this agent's id, as in `owner/handle`."
)


class AgentBase(abc.ABC):
    """An agent: functions that a platform calls over HTTP on behalf of a user.

    Args:
        oauth_params: lets functions take an OAuthHandler, for access to the user's data elsewhere.
    """

    # What answers `POST /`; None where the platform's model decides what to call.
    _handle_message: AgentFunc | None = None

    def __init__(self, oauth_params: OAuthParams | None = None) -> None:
        self._oauth_params = oauth_params
        self._funcs: dict[str, AgentQueryFunc] = {}
        self._corpus_funcs: dict[str, AgentCorpusFunc] = {}
        self._jwks_client = token.JwksClient(constants.FIXIE_JWKS_URL)
        self._allowed_agent_id = os.environ.get("FIXIE_ALLOWED_AGENT_ID") or None
        if self._allowed_agent_id is None:
            warnings.warn(_UNPINNED, exceptions.UnpinnedAgentWarning, stacklevel=3)
        if oauth_params is not None:
            self.register_func(finish_authorization, func_name="_oauth")

    @abc.abstractmethod
    def metadata(self) -> AgentMetadata:
        """What the agent says of itself in the handshake."""

    @abc.abstractmethod
    def validate(self) -> None:
        """Raises ValueError when the agent cannot work."""

    @overload
    def register_func(self, func: Func, *, func_name: str | None = None) -> Func: ...

    @overload
    def register_func(self, func: None = None, *, func_name: str | None = None) -> Callable[[Func], Func]: ...

    def register_func(self, func: Func | None = None, *, func_name: str | None = None) -> Any:
        """Decorator, with or without parentheses: lets the model call the function as `Func[name]`.

        Args:
            func_name: letters, digits and underscores, at most 64; the function's own name without it.

        Raises:
            TypeError: the function's signature does not fit.
            ValueError: the name is taken or cannot be a name.
        """
        if func is None:
            return lambda decorated: self.register_func(decorated, func_name=func_name)
        created = AgentQueryFunc.create(func, self._oauth_params, Message, allow_generator=False)
        _add(self._funcs, func_name, func, created)
        return func

    @overload
    def register_corpus_func(self, func: Func, *, func_name: str | None = None) -> Func: ...

    @overload
    def register_corpus_func(
        self, func: None = None, *, func_name: str | None = None
    ) -> Callable[[Func], Func]: ...

    def register_corpus_func(self, func: Func | None = None, *, func_name: str | None = None) -> Any:
        """Decorator, with or without parentheses: the function hands out documents to be indexed.

        Raises:
            TypeError: the function's signature does not fit.
            ValueError: the name is taken or cannot be a name.
        """
        if func is None:
            return lambda decorated: self.register_corpus_func(decorated, func_name=func_name)
        _add(self._corpus_funcs, func_name, func, AgentCorpusFunc.create(func))
        return func

    def is_valid_func_name(self, func_name: str) -> bool:
        """Whether few-shots may name this func: it is registered, or the platform's own."""
        return func_name in self._funcs or func_name.startswith(builtin_funcs.PREFIX)

    def pin(self, agent_id: str) -> None:
        """From now on accepts tokens for this id alone, unless FIXIE_ALLOWED_AGENT_ID named another."""
        self._allowed_agent_id = self._allowed_agent_id or agent_id

    def app(self) -> Starlette:
        """The ASGI application that serves this agent."""
        from fixieai.agents import http  # noqa: PLC0415 - start-up: a client of the SDK needs no server

        return http.build_app(self)

    def api_router(self) -> Router:
        """The routes of this agent, to be mounted in an application of your own."""
        from starlette.routing import Router  # noqa: PLC0415 - start-up, as above

        from fixieai.agents import http  # noqa: PLC0415 - start-up, as above

        return Router(routes=http.build_routes(self))

    def serve(
        self,
        host_or_handle: str | None = None,
        port: int = DEFAULT_PORT,
        *,
        handle: str | None = None,
        host: str | None = None,
    ) -> None:
        """Serves this agent until the process is stopped.

        Args:
            host_or_handle: `localhost` or anything with a dot or colon is the address to listen on;
                everything else is the handle by which the agent is known on the platform.
            port: TCP port.
            handle: the handle, by its own name.
            host: the address, by its own name; 127.0.0.1 unless given.

        Raises:
            TypeError: the same thing is given twice.
            ValueError: the agent cannot work.
        """
        from fixieai.agents import serving  # noqa: PLC0415 - start-up, as above

        handle, host = _handle_and_host(host_or_handle, handle, host)
        self.validate()
        serving.serve(self, handle, host, port)


Created = TypeVar("Created", AgentQueryFunc, AgentCorpusFunc)


def _add(
    registered: dict[str, Created], func_name: str | None, func: Callable[..., Any], created: Created
) -> None:
    if func_name is not None and not _FUNC_NAME.fullmatch(func_name):
        raise ValueError(
            f"the func name {func_name!r} must consist of 1 to 64 letters, digits and underscores"
        )
    name = func.__name__ if func_name is None else func_name
    if name in registered:
        raise ValueError(f"a func with the name {name!r} is already registered")
    registered[name] = created


def _handle_and_host(
    host_or_handle: str | None, handle: str | None, host: str | None
) -> tuple[str | None, str]:
    """Raises TypeError when one of them is given twice."""
    if host_or_handle is None:
        return handle, host or DEFAULT_HOST
    is_host = host_or_handle == "localhost" or "." in host_or_handle or ":" in host_or_handle
    if (host if is_host else handle) is not None:
        raise TypeError(f"serve() got two values for the {'host' if is_host else 'handle'}")
    return (handle, host_or_handle) if is_host else (host_or_handle, host or DEFAULT_HOST)
