"""Whose OpenAI key an agent uses."""

import asyncio
import os
import subprocess
import sys

import pytest
from starlette.types import Receive, Scope, Send

from fixieai import constants
from fixieai.agents import openai_proxy
from fixieai.agents.openai_proxy import OpenAIProxyRequestTokenForwarderMiddleware


@pytest.fixture
def _undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts back what `enable_openai_proxy` sets in the environment."""
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "to be put back")
        monkeypatch.delenv(name)


def _openai_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("OPENAI_")}


@pytest.mark.usefixtures("_undone")
def test_without_settings_of_its_own_an_agent_uses_the_proxy() -> None:
    openai_proxy.enable_openai_proxy()
    assert _openai_variables() == {
        "OPENAI_API_BASE": constants.FIXIE_OPENAI_PROXY_URL,
        "OPENAI_BASE_URL": constants.FIXIE_OPENAI_PROXY_URL,
        "OPENAI_API_KEY": "sk-fixie-openai-key",
    }
    openai_proxy.enable_openai_proxy()
    assert os.environ["OPENAI_API_KEY"] == "sk-fixie-openai-key"


@pytest.mark.usefixtures("_undone")
@pytest.mark.parametrize("name", ["OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_API_KEY"])
def test_with_settings_of_its_own_the_proxy_stays_off(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "own")
    openai_proxy.enable_openai_proxy()
    assert _openai_variables() == {name: "own"}


@pytest.mark.usefixtures("_undone")
def test_the_key_is_the_token_of_the_request() -> None:
    openai_proxy.enable_openai_proxy()
    reset = openai_proxy._current_request_token.set("the-token")
    try:
        assert openai_proxy.openai_api_key() == "the-token"
    finally:
        openai_proxy._current_request_token.reset(reset)
    with pytest.raises(LookupError, match="OPENAI_API_KEY"):
        openai_proxy.openai_api_key()


@pytest.mark.parametrize("own_key", ["sk-own", None])
def test_the_token_never_goes_to_another_server(monkeypatch: pytest.MonkeyPatch, own_key: str | None) -> None:
    reset = openai_proxy._current_request_token.set("the-token")
    try:
        if own_key is None:
            with pytest.raises(LookupError):
                openai_proxy.openai_api_key()
        else:
            monkeypatch.setenv("OPENAI_API_KEY", own_key)
            assert openai_proxy.openai_api_key() == own_key
    finally:
        openai_proxy._current_request_token.reset(reset)


async def _token_seen(*headers: tuple[bytes, bytes], kind: str = "http") -> str | None:
    seen: list[str | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(openai_proxy._current_request_token.get())

    async def nothing(*_: object) -> None:
        pass

    middleware = OpenAIProxyRequestTokenForwarderMiddleware(app)
    await middleware({"type": kind, "headers": list(headers)}, nothing, nothing)  # type: ignore[arg-type]
    assert openai_proxy._current_request_token.get() is None
    return seen[0]


@pytest.mark.parametrize(
    ("header", "token"),
    [(b"Bearer t", "t"), (b"bearer t", None), (b"Basic t", None), (b"", None), (b"Bearer \xff", "\xff")],
)
async def test_the_middleware_knows_the_bearer_token(header: bytes, token: str | None) -> None:
    assert await _token_seen((b"authorization", header)) == token


async def test_the_middleware_lets_other_things_pass() -> None:
    assert await _token_seen() is None
    assert await _token_seen(kind="lifespan") is None


async def test_requests_at_the_same_time_have_their_own_tokens() -> None:
    tokens = [f"token {number}" for number in range(20)]
    seen = await asyncio.gather(*(_token_seen((b"authorization", f"Bearer {t}".encode())) for t in tokens))
    assert seen == tokens


def test_an_openai_client_asks_for_the_key_at_each_call() -> None:
    program = (
        "from fixieai.agents import openai_proxy\n"
        "openai_proxy.enable_openai_proxy()\n"
        "import openai\n"
        "client = openai.OpenAI(api_key=openai_proxy.openai_api_key)\n"
        "for token in ('one', 'two'):\n"
        "    openai_proxy._current_request_token.set(token)\n"
        "    client._refresh_api_key()\n"
        "    print(client.base_url, client.auth_headers['Authorization'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    url = constants.FIXIE_OPENAI_PROXY_URL
    assert done.stdout.split() == [f"{url}/", "Bearer", "one", f"{url}/", "Bearer", "two"]
