"""An author's function as something that answers queries: called in the event loop, or in a thread."""

from __future__ import annotations

import abc
import contextvars
import functools
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from typing import Any

import anyio

from fixieai.agents import exceptions, parameters, threads
from fixieai.agents.oauth import OAuthParams
from fixieai.agents.structured_argument import BadArgument
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.corpora import CorpusRequest, CorpusResponse
from fixieai.protocol.messages import AgentQuery, AgentResponse, Message

_EXPECTED = "a str, Message or AgentResponse, or an iterable of them"
_SINGLE = (str, Message, AgentResponse)
_END = object()

Thread = Callable[..., Awaitable[Any]]


class AgentFunc(abc.ABC):
    """What answers a query. Subclasses need only `__call__`, which then runs in a thread."""

    @abc.abstractmethod
    def __call__(self, query: AgentQuery, claims: VerifiedTokenClaims) -> Iterable[AgentResponse]:
        """The responses to one query. Blocks."""

    def responses(
        self, query: AgentQuery, claims: VerifiedTokenClaims
    ) -> AsyncGenerator[AgentResponse, None]:
        """The responses to one query, as they come. Close the generator (`aclose`) to stop early.

        Raises:
            AgentException: as raised by the author's code, or because of what it returned.
            Exception: whatever else the author's code raises.
        """
        return _responses(type(self).__name__, functools.partial(self, query, claims), blocks=True)


@dataclass(frozen=True)
class AgentQueryFunc(AgentFunc):
    """A function with its parameters bound.

    `schema` is the JSON schema of its argument, None when the argument is plain text.
    """

    func: Callable[..., Any]
    parameters: parameters.Parameters
    is_async: bool

    @classmethod
    def create(
        cls,
        func: Callable[..., Any],
        oauth_params: OAuthParams | None,
        default_message_type: type[AgentQuery | Message | str],
        allow_generator: bool,
    ) -> AgentQueryFunc:
        """Binds the parameters of `func`.

        Args:
            default_message_type: what a parameter without an annotation gets.
            allow_generator: whether `func` may be annotated to return an iterable.

        Raises:
            TypeError: `func` is not a function, or its signature does not fit.
        """
        signature = parameters.signature_of(func)
        bound = parameters.bind(func.__name__, signature, oauth_params, default_message_type)
        parameters.check_result(func.__name__, signature, allow_generator)
        return cls(func, bound, inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func))

    @property
    def schema(self) -> Mapping[str, Any] | None:
        argument = self.parameters.argument
        return None if argument is None else argument.schema

    @property
    def description(self) -> str:
        """The docstring of the function, or ""."""
        return inspect.getdoc(self.func) or ""

    def __call__(self, query: AgentQuery, claims: VerifiedTokenClaims) -> Iterable[AgentResponse]:
        """The responses of a sync function; those of a generator are made as they are asked for.

        Raises:
            TypeError: the function is async.
        """
        if self.is_async:
            raise TypeError(f"{self.func.__name__} is async: use responses()")
        result = self._start(query, claims)
        as_response = functools.partial(_as_response, self.func.__name__)
        if isinstance(result, _SINGLE):
            return [as_response(result)]
        return map(as_response, _iterator(self.func.__name__, result))

    def responses(
        self, query: AgentQuery, claims: VerifiedTokenClaims
    ) -> AsyncGenerator[AgentResponse, None]:
        start = functools.partial(self._start, query, claims)
        blocks = not self.is_async and not inspect.isgeneratorfunction(self.func)
        return _responses(self.func.__name__, start, blocks=blocks)

    def _start(self, query: AgentQuery, claims: VerifiedTokenClaims) -> object:
        """What the function returned, or what the model is told about the argument it wrote."""
        try:
            positional, named = self.parameters.values(query, claims)
        except BadArgument as error:
            return str(error)
        result = self.func(*positional, **named)
        if result is None and "return" not in self.func.__annotations__:
            # Funcs that only do something need not return anything, unless they say that they do.
            return ""
        return result


@dataclass(frozen=True)
class AgentCorpusFunc:
    """A function that hands out the documents of a corpus."""

    func: Callable[..., Any]
    takes_request: bool
    is_async: bool

    @classmethod
    def create(cls, func: Callable[..., Any]) -> AgentCorpusFunc:
        """Raises TypeError when `func` is not a function or its signature does not fit."""
        signature = parameters.signature_of(func)
        found = list(signature.parameters.values())
        if len(found) > 1:
            raise TypeError(f"{func.__name__} must have one or zero arguments, it has {len(found)}")
        for parameter in found:
            if parameter.annotation not in (inspect.Parameter.empty, CorpusRequest):
                raise TypeError(f"the parameter {parameter.name} of {func.__name__} must be a CorpusRequest")
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                raise TypeError(f"the parameter {parameter.name} of {func.__name__} must not be keyword-only")
        if signature.return_annotation not in (inspect.Signature.empty, CorpusResponse):
            annotation = inspect.formatannotation(signature.return_annotation)
            raise TypeError(f"{func.__name__} returns {annotation}, expected CorpusResponse")
        return cls(func, bool(found), inspect.iscoroutinefunction(func))

    def __call__(self, request: CorpusRequest, claims: VerifiedTokenClaims | None = None) -> CorpusResponse:
        """The answer of a sync function.

        Raises:
            TypeError: the function is async.
            AgentException: the function returned something else.
        """
        if self.is_async:
            raise TypeError(f"{self.func.__name__} is async: use respond()")
        return self._checked(self._start(request))

    async def respond(
        self, request: CorpusRequest, claims: VerifiedTokenClaims | None = None
    ) -> CorpusResponse:
        """The answer of any function. Raises AgentException when it is not a CorpusResponse."""
        result = self._start(request) if self.is_async else await _thread()(self._start, request)
        return self._checked(await result if inspect.isawaitable(result) else result)

    def _start(self, request: CorpusRequest) -> object:
        return self.func(request) if self.takes_request else self.func()

    def _checked(self, result: object) -> CorpusResponse:
        if isinstance(result, CorpusResponse):
            return result
        raise exceptions.wrong_result(self.func.__name__, result, "a CorpusResponse")


def _thread() -> Thread:
    """Runs functions in threads, all in one copy of the present context: what one sets, the next one sees."""
    context = contextvars.copy_context()

    async def run(func: Callable[..., Any], *arguments: object) -> Any:
        return await threads.run(context.run, func, *arguments)

    return run


async def _responses(
    func_name: str, start: Callable[[], object], *, blocks: bool
) -> AsyncGenerator[AgentResponse, None]:
    """`blocks`: `start` may take long, and so runs in a thread (to make a generator takes no time)."""
    thread = _thread()
    result = await thread(start) if blocks else start()
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, _SINGLE):
        yield _as_response(func_name, result)
        return
    if not isinstance(result, AsyncIterable):
        result = _in_thread(_iterator(func_name, result), thread)
    items = aiter(result)
    try:
        async for item in items:
            yield _as_response(func_name, item)
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _in_thread(items: Iterator[object], thread: Thread) -> AsyncGenerator[object, None]:
    try:
        while (item := await thread(next, items, _END)) is not _END:
            yield item
    finally:
        if inspect.isgenerator(items) and inspect.getgeneratorstate(items) == inspect.GEN_SUSPENDED:
            with anyio.CancelScope(shield=True):
                await thread(items.close)


def _iterator(func_name: str, result: object) -> Iterator[object]:
    if isinstance(result, (bytes, Mapping)) or not isinstance(result, Iterable):
        raise exceptions.wrong_result(func_name, result, _EXPECTED)
    return iter(result)


def _as_response(func_name: str, item: object) -> AgentResponse:
    match item:
        case AgentResponse():
            return item
        case Message():
            return AgentResponse(item)
        case str():
            return AgentResponse(Message(item))
    raise exceptions.wrong_result(func_name, item, _EXPECTED)
