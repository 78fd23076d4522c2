"""One request of GraphQL: from its parameters to the answer's status and body."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterable, Awaitable, Mapping, Sequence
from http import HTTPStatus
from types import CoroutineType
from typing import Any, TypeGuard

from graphql import ExecutionResult, GraphQLError, execute

from fixieai import errors
from fixieai.platform.graphql import schema
from fixieai.platform.graphql.answers import Answer, GraphqlRequest
from fixieai.platform.graphql.context import Context
from fixieai.platform.graphql.documents import Documents, Refused
from fixieai.platform.graphql.plain_values import executor_of
from fixieai.platform.graphql.types import Info

_logger = logging.getLogger("fixieai.platform")
_SHOWN_ERRORS = 20
_LONGEST_MESSAGE = 1_000
_AWAITABLE = (CoroutineType, asyncio.Future)


class GraphqlEngine:
    """Answers requests; knows the documents that it has seen."""

    def __init__(self) -> None:
        self._schema = schema.executable()
        self._documents = Documents(self._schema)
        self._executor = executor_of(self._schema)

    async def answer(self, context: Context, request: GraphqlRequest, reference: str) -> Answer:
        """`reference` is where the log says more."""
        try:
            document = self._documents.read(request.query, request.variables)
        except Refused as refused:
            return refusal(refused.errors, reference)
        found = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=dict(request.variables),
            operation_name=request.operation_name,
            field_resolver=_resolve,
            executor_class=self._executor,
            is_awaitable=_is_awaitable,
            is_async_iterable=_is_async_iterable,
            max_coercion_errors=_SHOWN_ERRORS,
            hide_suggestions=True,
        )
        result = await found if inspect.isawaitable(found) else found
        return _answer(result, reference)


def _is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    """What resolvers return, and what execution makes of it. Asked for every value of an answer."""
    return isinstance(value, _AWAITABLE)


def _is_async_iterable(_: Any) -> TypeGuard[AsyncIterable[Any]]:
    return False


def _resolve(node: Mapping[str, Any], info: Info, **_: Any) -> Any:
    return node.get(info.field_name) if node is not None else None


def _answer(result: ExecutionResult, reference: str) -> Answer:
    if not result.errors:
        return Answer(HTTPStatus.OK, {"data": result.data})
    if result.data is None and not any(error.path for error in result.errors):
        return refusal(result.errors, reference)  # its variables or its operation's name were wrong
    return Answer(HTTPStatus.OK, {"errors": _errors(result.errors, reference), "data": result.data})


def refusal(found: Sequence[GraphQLError], reference: str) -> Answer:
    return Answer(HTTPStatus.BAD_REQUEST, {"errors": _errors(found, reference), "data": None})


def _errors(found: Sequence[GraphQLError], reference: str) -> list[dict[str, Any]]:
    return [_error(error, reference) for error in found[:_SHOWN_ERRORS]]


def _error(error: GraphQLError, reference: str) -> dict[str, Any]:
    """Where, and what; of what went wrong on our side the log alone says more."""
    cause = _cause(error, reference)
    shown = {"message": cause.message[:_LONGEST_MESSAGE]}
    formatted = error.formatted
    place = {key: formatted[key] for key in ("locations", "path") if formatted.get(key)}
    extensions: dict[str, Any] = {"code": cause.code, "reference": reference}
    if cause.retry_after is not None:
        extensions["retryAfter"] = cause.retry_after
    return {**shown, **place, "extensions": extensions}


def _cause(error: GraphQLError, reference: str) -> errors.FixieError:
    original: BaseException | None = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if original is None or not error.path:
        return errors.UnprocessableContent(error.message)
    if isinstance(original, errors.FixieError) and original.status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return original
    _logger.error("%s: a field of GraphQL failed", reference, exc_info=original)
    return errors.FixieError("Something went wrong on the platform's side.")
