# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
"""Funcs that hand out the documents of a corpus."""

from collections.abc import Callable
from typing import Any

import pytest

from fixieai.agents.agent_func import AgentCorpusFunc
from fixieai.agents.exceptions import AgentException
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.corpora import CorpusRequest, CorpusResponse

_CLAIMS = VerifiedTokenClaims("owner/agent", False, "token")


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


def _variable_positional(*args):
    """Is refused."""


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
