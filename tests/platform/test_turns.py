"""Who waits for a session's turn, or for something to happen in it, can be told to stop at any moment."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fixieai.platform.feeds import Feed
from fixieai.platform.turns import Turns

_SECONDS = 60.0


async def _cancelled_in_time(
    waiting: Coroutine[Any, Any, object], happen: Callable[[], None], steps: int
) -> bool:
    """Whether what waits is cancelled so many steps after what it waits for; False: it had ended before."""
    task = asyncio.create_task(waiting)
    for _ in range(5):
        await asyncio.sleep(0)
    happen()
    for _ in range(steps):
        await asyncio.sleep(0)
    if not task.cancel():
        return False
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


@pytest.mark.parametrize("steps", range(5))
async def test_a_query_that_is_ended_in_the_moment_in_which_its_turn_comes_ends(steps: int) -> None:
    turns = Turns(3)

    async def wait() -> None:
        async with turns.taken(1, turns.queue(1)):
            await turns.until_free(1, _SECONDS)

    was_in_time = await _cancelled_in_time(wait(), lambda: turns.free(1), steps)

    assert was_in_time or steps > 0


@pytest.mark.parametrize("steps", range(5))
async def test_a_stream_that_is_ended_in_the_moment_in_which_something_happens_ends(steps: int) -> None:
    feed = Feed()

    was_in_time = await _cancelled_in_time(feed.wait(_SECONDS), lambda: feed.publish(None), steps)

    assert was_in_time or steps > 0


async def test_a_turn_that_was_freed_before_somebody_waits_is_not_waited_for() -> None:
    turns = Turns(3)
    async with turns.taken(1, turns.queue(1)), asyncio.timeout(_SECONDS):
        turns.free(1)
        await turns.until_free(1, 2 * _SECONDS)
        await turns.until_free(1, 0.01)  # once
