"""Which parameter of an author's function gets what: decided once, when the function is registered.

An annotation decides before a name does. First the parameter for the query is looked for, then the one
for the user's storage, then the one for OAuth; the only one that is left may be the query after all.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fixieai.agents.oauth import OAuthHandler, OAuthParams
from fixieai.agents.structured_argument import StructuredArgument, is_structured
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.messages import AgentQuery, AgentResponse, Message

Source = Callable[[AgentQuery, VerifiedTokenClaims], object]

_VARIABLE_KINDS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_EMPTY = inspect.Parameter.empty
_RESULTS = (AgentResponse, Message, str)


def _whole_query(query: AgentQuery, _claims: VerifiedTokenClaims) -> AgentQuery:
    return query


def _message(query: AgentQuery, _claims: VerifiedTokenClaims) -> Message:
    return query.message


def _text(query: AgentQuery, _claims: VerifiedTokenClaims) -> str:
    return query.message.text


def _user_storage(_query: AgentQuery, claims: VerifiedTokenClaims) -> UserStorage:
    return UserStorage(claims)


def _nothing(_query: AgentQuery, _claims: VerifiedTokenClaims) -> None:
    return None


_QUERY_SOURCES: Mapping[object, Source] = {AgentQuery: _whole_query, Message: _message, str: _text}


def signature_of(func: object) -> inspect.Signature:
    """The signature with its annotations evaluated.

    Raises:
        TypeError: `func` is not a plain function, has `*args` or `**kwargs`, or an annotation names
            something that does not exist at run time.
    """
    if not inspect.isfunction(func):
        raise TypeError(
            f"expected a function, got {func!r}: wrap methods, partials and other callables in a function"
        )
    try:
        signature = inspect.signature(func, eval_str=True)
    except (NameError, AttributeError, SyntaxError) as error:
        raise TypeError(f"an annotation of {func.__name__} cannot be evaluated: {error}") from error
    if any(parameter.kind in _VARIABLE_KINDS for parameter in signature.parameters.values()):
        raise TypeError(f"{func.__name__} takes variable args, which nothing would be passed to")
    return signature


def check_result(func_name: str, signature: inspect.Signature, allow_generator: bool) -> None:
    """Raises TypeError when the return annotation names something that cannot be sent."""
    annotation = signature.return_annotation
    if annotation is _EMPTY or annotation in _RESULTS or (allow_generator and _is_iterable(annotation)):
        return
    raise TypeError(
        f"{func_name} returns {inspect.formatannotation(annotation)}, expected str, Message or AgentResponse"
    )


def _is_iterable(annotation: object) -> bool:
    """`Iterable[str]` and the like, or bare `Generator`, `Iterable`, ..."""
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation) or annotation
    if not isinstance(origin, type):
        return False
    if not issubclass(origin, (collections.abc.Iterable, collections.abc.AsyncIterable)):
        return False
    return arguments[0] in _RESULTS if arguments else inspect.isabstract(origin)


@dataclass(frozen=True)
class Parameters:
    """Where the value of each parameter comes from; `argument` is set when the query is read as JSON."""

    positional: tuple[Source, ...]
    named: Mapping[str, Source]
    argument: StructuredArgument | None

    def values(
        self, query: AgentQuery, claims: VerifiedTokenClaims
    ) -> tuple[list[object], dict[str, object]]:
        """The arguments of one call.

        Raises:
            BadArgument: the text of the query is not the JSON that the function expects.
            AgentException: the function needs a user, and the query is anonymous.
        """
        return (
            [source(query, claims) for source in self.positional],
            {name: source(query, claims) for name, source in self.named.items()},
        )


def bind(
    func_name: str,
    signature: inspect.Signature,
    oauth_params: OAuthParams | None,
    default_message_type: type[AgentQuery | Message | str],
) -> Parameters:
    """Decides what each parameter gets.

    Raises:
        TypeError: a parameter is left over, or asks for OAuth without `oauth_params`.
    """
    binding = _Binding(func_name, signature, oauth_params)
    binding.take_query(_QUERY_SOURCES[default_message_type])
    binding.take_user_storage()
    binding.take_oauth_handler()
    binding.take_the_last_one(_QUERY_SOURCES[default_message_type])
    return binding.result()


class _Binding:
    """The parameters that still wait for a source, and the sources found so far."""

    def __init__(
        self, func_name: str, signature: inspect.Signature, oauth_params: OAuthParams | None
    ) -> None:
        self._func_name = func_name
        self._all = signature.parameters
        self._oauth_params = oauth_params
        self._free = dict(signature.parameters)
        self._sources: dict[str, Source] = {}
        self._argument: StructuredArgument | None = None
        self._has_query = False

    def take_query(self, default: Source) -> None:
        for annotation, source in _QUERY_SOURCES.items():
            if name := self._annotated(annotation):
                return self._take_as_query(name, source)
        for name, parameter in self._free.items():
            if is_structured(parameter.annotation):
                return self._take_as_argument(name, parameter.annotation)
        for name in ("query", "message"):
            if self._is_plain(name):
                return self._take_as_query(name, default)
        return None

    def take_user_storage(self) -> None:
        if name := self._annotated(UserStorage) or self._plain("user_storage"):
            self._take(name, _user_storage)

    def take_oauth_handler(self) -> None:
        name = self._annotated(OAuthHandler) or self._plain("oauth_handler")
        if name is None:
            return
        oauth_params = self._oauth_params
        if oauth_params is not None:
            self._take(name, lambda _query, claims: OAuthHandler(oauth_params, claims))
        elif self._free[name].default is None:
            # Documented: funcs may be written `oauth_handler=None` whether or not the agent has OAuth.
            self._take(name, _nothing)
        else:
            raise TypeError(f"{self._func_name} has the parameter {name}, but the agent has no oauth_params")

    def take_the_last_one(self, default: Source) -> None:
        """A single un-annotated parameter of any name is the query, when it comes first."""
        first = next(iter(self._all), None)
        if not self._has_query and list(self._free) == [first] and self._is_plain(first):
            self._take_as_query(first, default)

    def result(self) -> Parameters:
        if self._free:
            raise TypeError(
                f"{self._func_name} has unknown parameters: {', '.join(self._free)}. Annotate one with "
                "AgentQuery, Message, str, a dataclass or a pydantic model, others with UserStorage or "
                "OAuthHandler"
            )
        named = {name for name, each in self._all.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}
        return Parameters(
            positional=tuple(self._sources[name] for name in self._all if name not in named),
            named={name: self._sources[name] for name in self._all if name in named},
            argument=self._argument,
        )

    def _annotated(self, annotation: object) -> str | None:
        return next((name for name, each in self._free.items() if each.annotation is annotation), None)

    def _plain(self, name: str) -> str | None:
        return name if self._is_plain(name) else None

    def _is_plain(self, name: str | None) -> typing.TypeGuard[str]:
        return name in self._free and self._free[name].annotation is _EMPTY

    def _take(self, name: str, source: Source) -> None:
        del self._free[name]
        self._sources[name] = source

    def _take_as_query(self, name: str, source: Source) -> None:
        self._has_query = True
        self._take(name, source)

    def _take_as_argument(self, name: str, kind: type) -> None:
        argument = StructuredArgument.of(kind)
        self._argument = argument
        self._take_as_query(name, lambda query, _claims: argument.parse(query.message.text))
