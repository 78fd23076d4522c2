"""An agent as a program: served behind the guard until it is told to stop."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fixieai import testing
from fixieai.agents import registration, serving
from fixieai.agents.standalone import StandaloneAgent
from fixieai.agents.token import JwksClient
from fixieai.protocol.messages import Message
from fixieai.web import server as web_server

QUERY = {"message": {"text": "hello"}}


def repeat(query: Message) -> str:
    return query.text


@pytest.fixture(scope="module")
def url(shared_key_server: Any) -> Iterator[str]:
    agent = StandaloneAgent(repeat)
    agent._jwks_client = JwksClient(shared_key_server.url)
    app = serving.guarded_app(agent, "127.0.0.1")
    with web_server.BackgroundServer(app, web_server.bind("127.0.0.1", 0)) as background:
        yield background.url


def test_a_guarded_agent_answers(url: str, shared_key_server: Any) -> None:
    headers = {"Authorization": f"Bearer {shared_key_server.token()}"}
    answer = requests.post(url, json=QUERY, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["message"]["text"]) == (200, "hello")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 421),
        ({"Content-Encoding": "gzip"}, 415),
        ({"X-Large": "x" * 50_000}, 431),
        ({"Content-Length": str(64 * 1024 * 1024)}, 413),
        ({"Content-Length": "many"}, 400),
        ({}, 403),
    ],
)
def test_what_the_guard_refuses_has_the_agents_shape(url: str, headers: dict[str, str], status: int) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    connection.request("POST", "/", b"{}", headers)
    answer = connection.getresponse()
    assert answer.status == status
    if headers.get("Content-Length") != "many":  # refused by the HTTP parser itself
        assert set(json.loads(answer.read())) == {"detail"}
    connection.close()


@pytest.mark.parametrize(
    ("host", "is_local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)]
)
def test_on_a_loopback_address_only_names_of_this_machine_count(host: str, is_local: bool) -> None:
    app: Any = serving.guarded_app(StandaloneAgent(repeat), host)
    assert (app._settings.hosts is not None) == is_local


def test_an_agent_that_was_stopped_as_it_started_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    with testing.platform() as platform:
        monkeypatch.setenv("FIXIE_API_KEY", platform.api_key)
        agent = StandaloneAgent(repeat)
        platform.serve(agent, "started")
        url = platform.call("GET", "/api/agents/local/started")["url"]
        place = serving._Place(registration.Registrar(platform.url), "local", "stopped", url)

        place.unregister()
        place.register()

        assert [each["handle"] for each in platform.call("GET", "/api/agents")["agents"]] == ["started"]


def test_a_platform_that_is_still_starting_is_waited_for() -> None:
    may_start = threading.Event()

    @contextlib.asynccontextmanager
    async def starting(_: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(may_start.wait, 60)
        yield

    async def health(_: Request) -> Response:
        return JSONResponse({"service": "fixie-platform"})

    app = Starlette(routes=[Route("/healthz", health)], lifespan=starting)
    platform = web_server.BackgroundServer(app, web_server.bind("127.0.0.1", 0))
    threading.Thread(target=platform.start).start()
    later = threading.Timer(2.5, may_start.set)  # more than what one look at its status takes
    later.start()
    try:
        assert registration.is_there(platform.url)
    finally:
        may_start.set()
        later.join()
        platform.stop()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_program_serves_until_it_is_told_to_stop(stop: signal.Signals) -> None:
    program = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from fixieai.agents import serving, standalone\n"
        "from fixieai.protocol.messages import Message\n"
        "def answer(query: Message) -> str: return ''\n"
        "serving.serve(standalone.StandaloneAgent(answer), 'mine', '127.0.0.1', 0)\n"
    )
    # With a platform elsewhere it is the agent alone that is served.
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"FIXIE_API_URL": "http://127.0.0.1:9"},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = said.split("Serving the agent at ")[1].split(". ")[0]
        assert f"`fixie agent register mine {url}`" in process.stdout.readline()
        assert requests.get(url, timeout=60).json() == {"detail": "Not authenticated"}
        process.send_signal(stop)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
