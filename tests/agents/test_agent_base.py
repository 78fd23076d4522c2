# mypy: allow-untyped-defs, allow-untyped-calls
import functools
import subprocess
import sys
import warnings
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Router

from fixieai.agents import agent_base
from fixieai.agents.agent_base import AgentBase
from fixieai.agents.code_shot import CodeShotAgent
from fixieai.agents.exceptions import UnpinnedAgentWarning
from fixieai.agents.oauth import OAuthParams
from fixieai.protocol.corpora import CorpusResponse
from fixieai.protocol.metadata import StandaloneAgentMetadata

_OAUTH = OAuthParams("id", "secret", "https://e/auth", "https://e/token", ["scope"])


class _Agent(AgentBase):
    def metadata(self) -> StandaloneAgentMetadata:
        return StandaloneAgentMetadata()

    def validate(self) -> None:
        """Is always valid."""


def _func(query):
    """Is registered in these tests."""


def _corpus_func():
    return CorpusResponse()


def test_the_base_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        AgentBase()  # type: ignore[abstract]


@pytest.mark.parametrize("func_name", [None, "other", "Größe", "_x", "1"])
def test_registering_gives_back_the_function(func_name: str | None) -> None:
    agent = _Agent()
    name = func_name or "_func"

    assert agent.register_func(func_name=func_name)(_func) is _func
    assert agent.register_corpus_func(func_name=func_name)(_corpus_func) is _corpus_func
    assert list(agent._funcs) == [name]
    assert list(agent._corpus_funcs) == [func_name or "_corpus_func"]
    assert agent.is_valid_func_name(name)


def test_decorators_work_bare_and_with_parentheses() -> None:
    agent = _Agent()

    @agent.register_func
    def bare(query: str) -> str:
        return query

    @agent.register_func()
    def called(query: str) -> str:
        return query

    @agent.register_corpus_func
    def bare_corpus() -> CorpusResponse:
        return CorpusResponse()

    @agent.register_corpus_func()
    def called_corpus() -> CorpusResponse:
        return CorpusResponse()

    assert bare("x") == called("x") == "x"
    assert list(agent._funcs) == ["bare", "called"]
    assert list(agent._corpus_funcs) == ["bare_corpus", "called_corpus"]


@pytest.mark.parametrize("func_name", ["", " ", "a b", "a-b", "a/b", "a.b", "a\n", "../x", "x" * 65])
def test_explicit_names_are_words(func_name: str) -> None:
    agent = _Agent()

    with pytest.raises(ValueError, match="func name"):
        agent.register_func(func_name=func_name)(_func)
    with pytest.raises(ValueError, match="func name"):
        agent.register_corpus_func(func_name=func_name)(_corpus_func)
    assert not agent._funcs


def test_a_name_is_registered_once_in_each_name_space() -> None:
    agent = _Agent()
    agent.register_func(_func, func_name="same")
    agent.register_corpus_func(_corpus_func, func_name="same")

    with pytest.raises(ValueError, match="'same' is already registered"):
        agent.register_func(_func, func_name="same")
    with pytest.raises(ValueError, match="'same' is already registered"):
        agent.register_corpus_func(_corpus_func, func_name="same")


def test_a_lambda_is_registered_under_its_own_name() -> None:
    agent = _Agent()
    agent.register_func(lambda query: "x")

    assert list(agent._funcs) == ["<lambda>"]


@pytest.mark.parametrize("func_name", [None, "name"])
def test_a_partial_is_refused_with_a_reason(func_name: str | None) -> None:
    partial: Any = functools.partial(_func)
    with pytest.raises(TypeError, match="wrap methods, partials"):
        _Agent().register_func(partial, func_name=func_name)


def test_funcs_of_the_platform_are_valid_names() -> None:
    agent = _Agent()

    assert agent.is_valid_func_name("fixie_utc_datetime")
    assert not agent.is_valid_func_name("utc_datetime")


def test_oauth_params_register_the_func_that_the_platform_calls() -> None:
    agent = _Agent(_OAUTH)
    agent.register_func(lambda query, oauth_handler: "x", func_name="uses_oauth")

    assert list(agent._funcs) == ["_oauth", "uses_oauth"]
    assert list(_Agent()._funcs) == []


# Pinning to one agent id


@pytest.mark.parametrize("allowed", [None, ""])
def test_an_agent_warns_when_it_is_not_pinned(allowed: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if allowed is not None:
        monkeypatch.setenv("FIXIE_ALLOWED_AGENT_ID", allowed)

    with pytest.warns(UnpinnedAgentWarning, match="FIXIE_ALLOWED_AGENT_ID") as caught:
        agent = CodeShotAgent("b", [])

    assert caught[0].filename == __file__
    assert agent._allowed_agent_id is None


def test_a_pinned_agent_does_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIXIE_ALLOWED_AGENT_ID", "owner/agent")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _Agent()._allowed_agent_id == "owner/agent"


@pytest.mark.parametrize(("api_url", "warns"), [(None, False), ("https://platform.example", True)])
def test_a_program_is_warned_only_with_a_platform_elsewhere(
    api_url: str | None, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if api_url is not None:
        monkeypatch.setenv("FIXIE_API_URL", api_url)

    program = "import fixieai; fixieai.CodeShotAgent('b', [])"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert ("UnpinnedAgentWarning" in run.stderr) is warns


# Serving


def test_an_agent_is_an_application_and_a_router() -> None:
    agent = _Agent()

    assert isinstance(agent.app(), Starlette)
    router = agent.api_router()
    assert isinstance(router, Router)
    assert router.routes


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", "::1", "127.0.0.1", "example.org"])
def test_what_looks_like_an_address_is_the_host(host: str) -> None:
    assert agent_base._handle_and_host(host, None, None) == (None, host)
    assert agent_base._handle_and_host(host, "dice", None) == ("dice", host)
    with pytest.raises(TypeError, match="two values for the host"):
        agent_base._handle_and_host(host, None, "127.0.0.1")


@pytest.mark.parametrize("handle", ["dice", "stock-quote", "localhost2"])
def test_everything_else_is_the_handle(handle: str) -> None:
    assert agent_base._handle_and_host(handle, None, None) == (handle, "127.0.0.1")
    assert agent_base._handle_and_host(handle, None, "0.0.0.0") == (handle, "0.0.0.0")
    with pytest.raises(TypeError, match="two values for the handle"):
        agent_base._handle_and_host(handle, "other", None)


def test_an_agent_listens_on_this_machine_only_unless_told() -> None:
    assert agent_base._handle_and_host(None, None, None) == (None, "127.0.0.1")
    assert agent_base._handle_and_host(None, "dice", "::") == ("dice", "::")


def test_an_agent_that_cannot_work_is_not_served() -> None:
    with pytest.raises(ValueError, match="few-shot 1, line 1"):
        CodeShotAgent("b", ["no query"]).serve("dice")
