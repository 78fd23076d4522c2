# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
"""What the parameters of a func get, by their types and names, and which functions are refused."""

import collections.abc
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, Optional

import pytest

from fixieai.agents.agent_func import AgentCorpusFunc, AgentQueryFunc
from fixieai.agents.oauth import OAuthHandler, OAuthParams
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentQuery, AgentResponse, AgentResponseGenerator, Message

_QUERY = AgentQuery(Message("hello", {"a": Embed("text/plain", "data:,x")}), "token")
_CLAIMS = VerifiedTokenClaims("owner/agent", False, "token")
_OAUTH = OAuthParams("id", "secret", "https://e/auth", "https://e/token", ["scope"])


def _create(
    func: Any,
    oauth_params: OAuthParams | None = None,
    default: type[AgentQuery | Message | str] = Message,
    allow_generator: bool = True,
) -> AgentQueryFunc:
    return AgentQueryFunc.create(func, oauth_params, default, allow_generator)


# Each function says what it was given.

_ACCEPTED: list[tuple[Callable[..., Any], dict[str, Any], str]] = []
_REFUSED: list[tuple[Callable[..., Any], dict[str, Any], str]] = []


def _kind(value: object) -> str:
    match value:
        case AgentQuery() if value == _QUERY:
            return "query"
        case Message() if value == _QUERY.message:
            return "message"
        case "hello":
            return "text"
        case UserStorage():
            return "storage"
        case OAuthHandler():
            return "oauth"
    return repr(value)


def _says(*values: object) -> str:
    return " ".join(map(_kind, values))


def _gets(expected: str, **options: Any):
    def note(func):
        _ACCEPTED.append((func, options, expected))
        return func

    return note


def _refused(message: str, **options: Any):
    def note(func):
        _REFUSED.append((func, options, message))
        return func

    return note


@_gets("query")
def _annotated_whole(x: AgentQuery):
    return _says(x)


@_gets("message", default=str)
def _annotated_message(x: Message):
    return _says(x)


@_gets("text")
def _annotated_text(x: str):
    return _says(x)


@_gets("text")
def _annotated_in_quotes(x: "str") -> "str":
    return _says(x)


@_gets("")
def _nothing():
    return _says()


@_gets("message")
@_gets("text", default=str)
@_gets("query", default=AgentQuery)
def _named_query(query):
    return _says(query)


@_gets("message")
def _named_message(message):
    return _says(message)


@_gets("message")
def _any_single_name(anything=5):
    return _says(anything)


@_gets("message storage")
def _single_one_that_is_left(anything, user_storage):
    return _says(anything, user_storage)


@_gets("storage text")
def _annotation_beats_name(query: UserStorage, user_storage: str):
    return _says(query, user_storage)


@_gets("storage message")
def _storage_by_name_first(user_storage, query):
    return _says(user_storage, query)


@_gets("storage")
def _storage_alone(user_storage):
    return _says(user_storage)


@_gets("message storage oauth", oauth_params=_OAUTH)
def _everything_by_name(query, user_storage=None, oauth_handler=None):
    return _says(query, user_storage, oauth_handler)


@_gets("message storage None")
def _oauth_that_may_be_missing(query, user_storage=None, oauth_handler=None):
    return _says(query, user_storage, oauth_handler)


@_gets("oauth text", oauth_params=_OAUTH)
def _annotated_oauth(handler: OAuthHandler, text: str):
    return _says(handler, text)


@_gets("text storage")
def _keyword_only(*, storage: UserStorage, text: str):
    return _says(text, storage)


@_gets("text storage")
def _positional_only(text: str, /, storage: UserStorage):
    return _says(text, storage)


@_refused("variable args")
def _variable_positional(query, *args):
    """Is refused."""


@_refused("variable args")
def _variable_named(**kwargs):
    """Is refused."""


@_refused("unknown parameters: text")
def _two_queries(query: AgentQuery, text: str):
    """Is refused."""


@_refused("unknown parameters: b")
def _two_of_one_type(a: str, b: str):
    """Is refused; always because of the second one."""


@_refused("unknown parameters: message")
def _two_names(query, message):
    """Is refused."""


@_refused("unknown parameters: b")
def _a_default_excuses_nothing(query, b=1):
    """Is refused."""


@_refused("unknown parameters: x")
def _an_optional_is_no_type(x: Optional[str]):  # noqa: UP045 - as people wrote it
    """Is refused."""


@_refused("unknown parameters: query")
def _a_foreign_annotation(query: int):
    """Is refused."""


@_refused("unknown parameters: x")
def _a_type_of_ours_is_no_json(x: Embed):
    """Is refused."""


@_refused("unknown parameters: x")
def _the_last_one_is_not_the_first(user_storage, x):
    """Is refused."""


@_refused("unknown parameters: x")
def _there_is_a_query_already(x, query: str):
    """Is refused."""


@_refused("oauth_params")
def _oauth_by_name(query, oauth_handler):
    """Is refused."""


@_refused("oauth_params")
def _oauth_by_type(query, handler: OAuthHandler):
    """Is refused."""


@_refused("cannot be evaluated")
def _an_unknown_annotation(query: "NoSuchType"):  # type: ignore[name-defined] # noqa: F821 - the point
    """Is refused."""


@pytest.mark.parametrize(("func", "options", "expected"), _ACCEPTED)
def test_what_the_parameters_get(func: Callable[..., Any], options: dict[str, Any], expected: str) -> None:
    (response,) = _create(func, **options)(_QUERY, _CLAIMS)

    assert response == AgentResponse(Message(expected))


@pytest.mark.parametrize(("func", "options", "message"), _REFUSED)
def test_which_parameters_are_refused(
    func: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        _create(func, **options)


class _Callable:
    def __call__(self, query):
        """Is no function."""


@pytest.mark.parametrize(
    "func", [_Callable(), _Callable().__call__, len, functools.partial(_nothing), 5, str]
)
def test_only_functions_can_be_registered(func: Any) -> None:
    with pytest.raises(TypeError, match="expected a function"):
        _create(func)
    with pytest.raises(TypeError, match="expected a function"):
        AgentCorpusFunc.create(func)


def test_a_lambda_and_a_decorated_function_are_functions() -> None:
    @functools.wraps(_annotated_text)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return _annotated_text(*args, **kwargs)

    assert [response.message.text for response in _create(lambda query: "x")(_QUERY, _CLAIMS)] == ["x"]
    assert [response.message.text for response in _create(decorated)(_QUERY, _CLAIMS)] == ["text"]


# Return annotations


def _returning(annotation: object) -> Callable[..., Any]:
    def func(query):
        """Is only looked at."""

    func.__annotations__["return"] = annotation
    return func


@pytest.mark.parametrize("annotation", [str, Message, AgentResponse, "str"])
@pytest.mark.parametrize("allow_generator", [True, False])
def test_a_func_may_return_one_thing(annotation: object, allow_generator: bool) -> None:
    _create(_returning(annotation), allow_generator=allow_generator)


@pytest.mark.parametrize(
    "annotation",
    [
        Iterable[str],
        Iterator[Message],
        Generator[AgentResponse, None, None],
        AgentResponseGenerator,
        AsyncGenerator[str, None],
        AsyncIterator[str],
        list[str],
        Generator,
        Iterable,
        collections.abc.AsyncGenerator,
    ],
)
def test_iterables_may_be_returned_where_generators_are_allowed(annotation: object) -> None:
    _create(_returning(annotation))
    with pytest.raises(TypeError, match="returns"):
        _create(_returning(annotation), allow_generator=False)


@pytest.mark.parametrize(
    "annotation", [None, int, bytes, dict, Iterable[int], str | None, str | Message, Any]
)
def test_other_return_annotations_are_refused(annotation: object) -> None:
    with pytest.raises(TypeError, match="returns"):
        _create(_returning(annotation))
