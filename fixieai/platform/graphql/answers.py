"""What is asked and answered, and who answers: loaded when somebody asks for the first time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fixieai import errors
from fixieai.platform.graphql.context import Context

_engines: "list[Engine]" = []


@dataclass(frozen=True, slots=True)
class GraphqlRequest:
    """What a client sends."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 400 when nothing was executed, 200 otherwise."""

    status: int
    body: Mapping[str, Any]


class Engine(Protocol):
    """Answers requests."""

    async def answer(self, context: Context, request: GraphqlRequest, reference: str) -> Answer:
        """`reference` is where the log says more."""
        ...


async def engine() -> Engine:
    """One for all platforms of this process: it holds nothing of anybody."""
    if not _engines:
        _engines.append(await asyncio.to_thread(_load))
    return _engines[0]


def _load() -> Engine:
    from fixieai.platform.graphql import execution  # noqa: PLC0415 - 0.2 s, paid by the first request alone

    return execution.GraphqlEngine()


def error_body(error: errors.FixieError, reference: str) -> Mapping[str, Any]:
    """The whole body of an answer for what happened outside of any field."""
    extensions = {"code": error.code, "reference": reference}
    return {"errors": [{"message": error.message, "extensions": extensions}], "data": None}
