import json
import threading

import anyio
import pytest

from fixieai import errors
from fixieai.client import asynchronous
from fixieai.client.agent import Agent
from fixieai.client.asynchronous import AsyncAgent, AsyncFixieClient, AsyncSession
from fixieai.client.client import FixieClient
from fixieai.client.session import Session

STORED = {"handle": "calm-blue-fox", "name": None, "frontendAgentId": None}
# What reads what is known, what has another form, and what a program of one thread alone needs.
NOT_AWAITED = {"clone", "close", "url", "gqlclient", "get_agent_page_url"}
OTHER_FORM = {"get_all", "get", "put", "delete", "post_repeatable", "page_with_code"}


def _methods(kind: type) -> set[str]:
    return {
        name
        for name in dir(kind)
        if not name.startswith("_") and not isinstance(getattr(kind, name), property)
    }


@pytest.fixture
def asking(scripted_platform) -> AsyncFixieClient:
    return AsyncFixieClient("a-key", api_url=scripted_platform.url)


@pytest.mark.parametrize(
    ("kind", "sync"), [(AsyncFixieClient, FixieClient), (AsyncAgent, Agent), (AsyncSession, Session)]
)
def test_nothing_of_the_other_client_is_missing(kind, sync):
    assert _methods(sync) - _methods(kind) <= NOT_AWAITED | OTHER_FORM


async def test_calls_are_awaited_and_what_they_give_is_awaited_too(scripted_platform, asking):
    scripted_platform.will(STORED)
    scripted_platform.will({"messages": [{"text": "a", "position": 1}], "next": None})
    async with asking:
        session = await asking.create_session()
        assert session.session_id == "calm-blue-fox"
        assert [message["text"] for message in await session.get_messages()] == ["a"]
    scripted_platform.will({"handle": "dice", "name": "Dice"})
    assert (await asking.get_agent("ann/dice")).sync.name == "Dice"
    scripted_platform.will({"data": {"user": None}})
    assert await asking.execute("{ user { username } }") == {"user": None}


async def test_errors_are_those_of_the_other_client(scripted_platform, asking):
    scripted_platform.will({}, status=404)
    with pytest.raises(errors.NotFound):
        await asking.get_session("none")


async def test_streams_are_iterated(scripted_platform, asking):
    scripted_platform.will(STORED)
    lines = [{"message": {"text": text}, "type": "response"} for text in ("You", "You win")]
    scripted_platform.will("\n".join(map(json.dumps, lines)).encode())
    session = await asking.create_session()
    assert [line["text"] async for line in session.streaming_query("Roll")] == ["You", "You win"]


async def test_the_loop_goes_on_while_a_call_waits_and_a_cancelled_call_ends_at_once(monkeypatch, asking):
    begun, may_end = threading.Event(), threading.Event()

    def slow(url: str, **_: object) -> dict[str, str]:
        begun.set()
        may_end.wait(10)
        return {"username": "ann"}

    monkeypatch.setattr(asking.sync, "get", slow)
    try:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(asking.get_current_user)
                await anyio.to_thread.run_sync(begun.wait)
                group.cancel_scope.cancel()
    finally:
        may_end.set()


async def test_no_more_calls_are_made_at_a_time_than_there_are_threads(asking):
    assert asking._threads.total_tokens == asynchronous.MAXIMUM_THREADS
