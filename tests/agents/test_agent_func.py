# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
import asyncio
import collections.abc
import contextvars
import functools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, Optional

import pytest

from fixieai.agents.agent_func import AgentCorpusFunc, AgentFunc, AgentQueryFunc
from fixieai.agents.exceptions import AgentException
from fixieai.agents.oauth import OAuthHandler, OAuthParams
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.corpora import CorpusRequest, CorpusResponse
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentQuery, AgentResponse, AgentResponseGenerator, Message

_QUERY = AgentQuery(Message("hello", {"a": Embed("text/plain", "data:,x")}), "token")
_CLAIMS = VerifiedTokenClaims("owner/agent", False, "token")
_OAUTH = OAuthParams("id", "secret", "https://e/auth", "https://e/token", ["scope"])
_variable = contextvars.ContextVar("_variable", default="outside")


def _create(
    func: Any,
    oauth_params: OAuthParams | None = None,
    default: type[AgentQuery | Message | str] = Message,
    allow_generator: bool = True,
) -> AgentQueryFunc:
    return AgentQueryFunc.create(func, oauth_params, default, allow_generator)


async def _texts(func: AgentFunc) -> list[str]:
    return [response.message.text async for response in func.responses(_QUERY, _CLAIMS)]


# Binding: each function says what it was given.

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


# Results


def _returns_text(query):
    return "a"


def _returns_message(query):
    return Message("a")


def _returns_response(query):
    return AgentResponse(Message("a"))


def _returns_list(query):
    return ["a", Message("b")]


def _yields(query):
    yield "a"
    yield Message("b")
    yield AgentResponse(Message("c"))


async def _returns_text_later(query):
    await asyncio.sleep(0)
    return "a"


async def _yields_later(query):
    yield "a"
    await asyncio.sleep(0)
    yield "b"


def _returns_a_coroutine(query):
    return _returns_text_later(query)


_SYNC = [
    (_returns_text, ["a"]),
    (_returns_message, ["a"]),
    (_returns_response, ["a"]),
    (_returns_list, ["a", "b"]),
    (_yields, ["a", "b", "c"]),
]


@pytest.mark.parametrize(("func", "expected"), _SYNC)
def test_a_sync_function_answers_when_called(func: Callable[..., Any], expected: list[str]) -> None:
    assert [response.message.text for response in _create(func)(_QUERY, _CLAIMS)] == expected


@pytest.mark.parametrize(
    ("func", "expected"),
    [*_SYNC, (_returns_text_later, ["a"]), (_yields_later, ["a", "b"]), (_returns_a_coroutine, ["a"])],
)
async def test_every_kind_of_function_gives_responses(func: Callable[..., Any], expected: list[str]) -> None:
    assert await _texts(_create(func)) == expected


@pytest.mark.parametrize("func", [_returns_text_later, _yields_later])
def test_an_async_function_cannot_be_called_without_a_loop(func: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"use responses\(\)"):
        _create(func)(_QUERY, _CLAIMS)


@pytest.mark.parametrize("result", [5, b"bytes", {"text": "x"}, [None], ["a", 5], [b"x"]])
async def test_a_wrong_result_is_an_error_and_no_answer(result: object) -> None:
    def func(query):
        return result

    with pytest.raises(AgentException, match="func returned") as sync:
        list(_create(func)(_QUERY, _CLAIMS))
    with pytest.raises(AgentException, match="func returned"):
        await _texts(_create(func))
    assert sync.value.http_status_code == 500


def test_a_func_that_says_it_returns_text_and_returns_none_is_wrong() -> None:
    def func(query) -> str:
        return None

    with pytest.raises(AgentException, match="func returned NoneType"):
        list(_create(func)(_QUERY, _CLAIMS))


async def test_what_an_author_raises_comes_out_unchanged() -> None:
    def fails(query):
        raise KeyError("x")

    def fails_late(query):
        yield "a"
        raise KeyError("x")

    async def stops(query):
        raise StopIteration

    for func in (fails, fails_late):
        with pytest.raises(KeyError):
            await _texts(_create(func))
    with pytest.raises(RuntimeError):
        await _texts(_create(stops))


# Threads and contexts


async def test_sync_code_runs_in_threads_and_async_code_in_the_loop() -> None:
    def plain(query):
        return threading.current_thread().name

    def generator(query):
        yield threading.current_thread().name

    async def coroutine(query):
        return threading.current_thread().name

    here = threading.current_thread().name
    assert await _texts(_create(plain)) != [here]
    assert await _texts(_create(generator)) != [here]
    assert await _texts(_create(coroutine)) == [here]


async def test_a_blocking_function_does_not_block_the_loop() -> None:
    release = threading.Event()

    def waits(query):
        assert release.wait(10)
        return "released"

    task = asyncio.ensure_future(_texts(_create(waits)))
    await asyncio.sleep(0.01)
    release.set()

    assert await task == ["released"]


async def test_context_variables_reach_the_function_and_stay_between_steps_of_a_generator() -> None:
    def generator(query):
        yield _variable.get()
        _variable.set("set inside")
        yield _variable.get()
        yield _variable.get()

    _variable.set("request")

    assert await _texts(_create(generator)) == ["request", "set inside", "set inside"]
    assert _variable.get() == "request"


async def test_a_generator_is_closed_when_its_reader_stops() -> None:
    closed: list[str] = []

    def generator(query):
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("sync")

    async def async_generator(query):
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("async")

    for func in (generator, async_generator):
        responses = _create(func).responses(_QUERY, _CLAIMS)
        assert (await anext(responses)).message.text == "a"
        await responses.aclose()
    assert closed == ["sync", "async"]


async def test_a_time_limit_on_a_running_generator_stays_a_time_limit() -> None:
    release = threading.Event()

    def generator(query):
        release.wait(10)
        yield "too late"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await _texts(_create(generator))
    release.set()


async def test_an_agent_func_of_ones_own_needs_only_call() -> None:
    class Echo(AgentFunc):
        def __call__(self, query: AgentQuery, claims: VerifiedTokenClaims) -> Iterable[AgentResponse]:
            yield AgentResponse(Message(query.message.text + claims.agent_id))

    assert await _texts(Echo()) == ["helloowner/agent"]


# Corpus funcs


def _corpus_without_request() -> CorpusResponse:
    return CorpusResponse()


def _corpus_with_request(anything):
    return CorpusResponse(None, None) if anything == CorpusRequest("p") else None


async def _corpus_later(request: CorpusRequest):
    return CorpusResponse()


@pytest.mark.parametrize("func", [_corpus_without_request, _corpus_with_request])
async def test_a_corpus_func_answers(func: Callable[..., Any]) -> None:
    created = AgentCorpusFunc.create(func)

    assert created(CorpusRequest("p"), _CLAIMS) == CorpusResponse()
    assert await created.respond(CorpusRequest("p"), _CLAIMS) == CorpusResponse()


async def test_a_corpus_func_may_be_async() -> None:
    created = AgentCorpusFunc.create(_corpus_later)

    assert await created.respond(CorpusRequest(), _CLAIMS) == CorpusResponse()
    with pytest.raises(TypeError, match=r"use respond\(\)"):
        created(CorpusRequest(), _CLAIMS)


async def test_a_corpus_func_must_return_a_corpus_response() -> None:
    created = AgentCorpusFunc.create(_corpus_with_request)

    with pytest.raises(AgentException, match="returned NoneType; expected a CorpusResponse"):
        created(CorpusRequest(), _CLAIMS)
    with pytest.raises(AgentException, match="returned NoneType; expected a CorpusResponse"):
        await created.respond(CorpusRequest(), _CLAIMS)


def _two(a, b):
    """Is refused."""


def _wrong_type(number: int):
    """Is refused."""


def _wrong_return(request) -> str:
    return ""


def _keyword(*, request):
    """Is refused."""


@pytest.mark.parametrize(
    ("func", "message"),
    [
        (_two, "must have one or zero arguments"),
        (_wrong_type, "number"),
        (_wrong_return, "returns"),
        (_keyword, "keyword-only"),
        (_variable_positional, "variable args"),
    ],
)
def test_which_corpus_funcs_are_refused(func: Callable[..., Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        AgentCorpusFunc.create(func)


def test_a_func_that_says_nothing_of_its_result_may_return_nothing() -> None:
    def note(query):
        pass

    assert [response.message.text for response in _create(note)(_QUERY, _CLAIMS)] == [""]
