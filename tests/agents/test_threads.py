"""The threads of an author's functions."""

import asyncio
import subprocess
import sys
import threading

import pytest

from fixieai.agents import threads

STUCK = """
import asyncio, time
from fixieai.agents import threads
async def main():
    async with asyncio.timeout(0.1):
        await threads.run(time.sleep, 60)
try:
    asyncio.run(main())
except TimeoutError:
    print("timed out")
"""


def test_a_function_that_never_returns_does_not_keep_the_program_from_ending() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("timed out\n", "")


async def test_threads_are_used_again_and_forty_calls_run_at_once() -> None:
    everybody = threading.Barrier(40)

    def meet() -> int:
        everybody.wait(60)
        return threading.get_ident()

    first = await asyncio.gather(*(threads.run(meet) for _ in range(40)))
    again = await asyncio.gather(*(threads.run(meet) for _ in range(80)))
    assert len(set(first)) == 40
    assert set(again) == set(first)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
async def test_what_a_function_raises_is_raised_where_it_is_awaited(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await threads.run(fail)
    assert raised.value is error


async def test_a_stop_iteration_is_an_error_and_no_endless_wait() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await threads.run(next, iter(()))
