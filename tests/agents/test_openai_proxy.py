"""Whose OpenAI key an agent uses."""

import asyncio
import os
import pathlib
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


_SEEN = """
from fixieai import constants
for token in ("one", "two"):
    openai_proxy._current_request_token.set(token)
    seen()
openai_proxy._current_request_token.set(None)
try:
    seen()
except LookupError as error:
    print("OPENAI_API_KEY" in str(error))
"""
_CLIENT = """
def seen():
    for made in (client, client.with_options(timeout=3), openai.AsyncOpenAI()):
        assert str(made.base_url).rstrip("/") == constants.FIXIE_OPENAI_PROXY_URL
        print(made.auth_headers["Authorization"], made._bearer_auth["Authorization"])
"""
# The shape of the package below version 1: a module of settings, and a requestor for each call.
_BELOW_1 = {
    "__init__.py": """
import os
api_key, api_base = os.environ["OPENAI_API_KEY"], os.environ["OPENAI_API_BASE"]
from openai import api_requestor
""",
    "api_requestor.py": """
import openai
class APIRequestor:
    def __init__(self, key=None, api_base=None):
        self.api_base = api_base or openai.api_base
        self.api_key = key or openai.api_key
""",
}


def _printed(program: str, folder: pathlib.Path | None = None) -> list[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    if folder is not None:
        variables["PYTHONPATH"] = os.pathsep.join((str(folder), *sys.path))
    command = [sys.executable, "-c", "from fixieai.agents import openai_proxy\n" + program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    return done.stdout.split()


@pytest.mark.parametrize(
    "program",
    [
        "openai_proxy.enable_openai_proxy()\nimport openai\n",
        (
            "import importlib.util\nopenai_proxy.enable_openai_proxy()\n"
            "importlib.util.find_spec('openai')\nimport openai\n"
        ),
        "import openai\nopenai_proxy.enable_openai_proxy()\n",
    ],
)
def test_a_client_sends_the_token_of_the_moment(program: str) -> None:
    printed = _printed(f"{program}client = openai.OpenAI()\n{_CLIENT}{_SEEN}")
    assert printed == ["Bearer", "one"] * 6 + ["Bearer", "two"] * 6 + ["True"]


def test_a_client_of_another_server_gets_no_token() -> None:
    program = """
openai_proxy.enable_openai_proxy()
import openai
openai_proxy._current_request_token.set("token")
for client in (openai.OpenAI(base_url="http://127.0.0.1:1/v1"), openai.OpenAI(api_key="sk-own")):
    print(client._bearer_auth["Authorization"])
"""
    assert _printed(program) == ["Bearer", "sk-fixie-openai-key", "Bearer", "sk-own"]


def test_below_version_1_each_call_sends_the_token_of_the_moment(tmp_path: pathlib.Path) -> None:
    (tmp_path / "openai").mkdir()
    for name, text in _BELOW_1.items():
        (tmp_path / "openai" / name).write_text(text, "utf-8")
    program = """
openai_proxy.enable_openai_proxy()
import openai
from openai import api_requestor

def seen():
    print(api_requestor.APIRequestor().api_key, api_requestor.APIRequestor("sk-own").api_key)
"""
    printed = _printed(program + _SEEN, tmp_path)
    assert printed == ["one", "sk-own", "two", "sk-own", "True"]


def test_a_client_may_ask_for_its_key_by_itself() -> None:
    program = """
openai_proxy.enable_openai_proxy()
import openai
client = openai.OpenAI(api_key=openai_proxy.openai_api_key)
for token in ("one", "two"):
    openai_proxy._current_request_token.set(token)
    client._refresh_api_key()
    print(client.auth_headers["Authorization"])
"""
    assert _printed(program) == ["Bearer", "one", "Bearer", "two"]
