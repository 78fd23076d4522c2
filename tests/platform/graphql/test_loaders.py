"""What is asked for one by one is looked up together."""

import asyncio

import pytest

from fixieai import errors
from fixieai.platform.graphql.loaders import Loader


class Shelf:
    """Knows squares of even numbers; remembers what it was asked for."""

    def __init__(self) -> None:
        self.lookups: list[list[int]] = []

    async def find(self, keys: list[int]) -> dict[int, int]:
        self.lookups.append(keys)
        await asyncio.sleep(0)
        if 99 in keys:
            raise errors.Conflict
        return {key: key * key for key in keys if key % 2 == 0}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_keys_of_one_moment_are_one_look_and_each_is_looked_up_once(shelf: Shelf) -> None:
    loader = Loader(shelf.find)

    async def deeper(key: int) -> int | None:
        return await loader.load(await loader.load(key) or 0)

    assert await asyncio.gather(*(deeper(key) for key in (2, 4, 2, 3))) == [16, 256, 16, 0]
    assert shelf.lookups == [[2, 4, 3], [16, 0]]


async def test_what_is_not_there_is_none_and_what_came_along_is_not_looked_up(shelf: Shelf) -> None:
    loader = Loader(shelf.find)
    loader.put(6, 1)
    loader.put(6, 2)

    assert await asyncio.gather(loader.load(5), loader.load(6)) == [None, 1]
    assert shelf.lookups == [[5]]


async def test_a_failure_reaches_everybody_who_waits_and_nobody_else(shelf: Shelf) -> None:
    loader = Loader(shelf.find)

    failed = await asyncio.gather(loader.load(99), loader.load(2), return_exceptions=True)

    assert [type(each) for each in failed] == [errors.Conflict, errors.Conflict]
    assert await loader.load(4) == 16


async def test_who_is_cancelled_takes_the_value_away_from_nobody(shelf: Shelf) -> None:
    """As the other fields of an object are when one of its fields fails."""
    loader = Loader(shelf.find)

    async def wait(key: int) -> int | None:
        return await loader.load(key)

    waiting = [asyncio.create_task(wait(key)) for key in (2, 2, 4)]
    await asyncio.sleep(0)
    waiting[0].cancel()

    async with asyncio.timeout(10):
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(found[0]), *found[1:]] == [asyncio.CancelledError, 4, 16]
        assert await loader.load(2) == 4
