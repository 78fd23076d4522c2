"""A platform that ends leaves at once, whatever it was about to do."""

import asyncio

import psycopg
import pytest

from fixieai.platform.executors import Executor
from fixieai.storage import executors
from fixieai.storage.database import connect

pytestmark = pytest.mark.anyio


async def test_a_beat_that_is_on_its_way_does_not_keep_the_executor_listed(postgres_url: str) -> None:
    database = await connect(postgres_url)
    executor = Executor(database, 60)
    await executor.begin(is_alone=False)
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with (
        await psycopg.AsyncConnection.connect(postgres_url) as beating,
        await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as watch,
    ):
        await beating.execute("UPDATE executors SET beat = beat + 1")
        leaving = asyncio.create_task(executor.end())
        while await (await watch.execute(waits)).fetchone() is None:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
        await beating.commit()
        await leaving
    assert await database.read(executors.beats) == {}
    await database.close()
