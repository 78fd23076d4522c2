"""Requests of others that are sent on to a server of OpenAI's kind."""

import contextlib

import pytest
from clocks import Clock

from fixieai.llm.passthrough import Passthrough
from fixieai.llm.settings import ModelSettings
from fixieai.testing.model_server import Says

pytestmark = pytest.mark.anyio


async def test_a_connection_is_used_again_but_not_when_its_server_may_be_about_to_close_it(
    serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, clock = serve([Says("12")]), Clock()
    monkeypatch.setattr("aiohttp.connector.monotonic", clock)

    async with contextlib.AsyncExitStack() as stack:
        sent = Passthrough(ModelSettings(base_urls={"openai": server.base_url}))
        stack.push_async_callback(sent.close)
        for seconds in (0, 3, 4.5):
            clock.now += seconds
            async with sent.send("POST", "chat/completions", b"{}") as reply:
                await reply.read(100_000)

    first, second, third = (request.connection for request in server.requests)
    assert first == second != third
