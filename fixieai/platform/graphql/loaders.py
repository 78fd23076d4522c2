"""Many values with one look: what is asked for one by one is looked up together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loader(Generic[K, V]):
    """Keys that are asked for before the event loop comes round again are looked up at once.

    `find` gives the values of keys by key; for a key that it leaves out, the value is None. What
    was found is remembered as long as the loader lives: for one request.
    """

    def __init__(self, find: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._find = find
        self._values: dict[K, asyncio.Future[V | None]] = {}
        self._waiting: list[K] = []
        self._lookups: set[asyncio.Task[None]] = set()

    def load(self, key: K) -> asyncio.Future[V | None]:
        """The value, for one who waits: others who wait for it do so also when that one is cancelled."""
        found = self._values.get(key)
        if found is None:
            loop = asyncio.get_running_loop()
            found = self._values[key] = loop.create_future()
            if not self._waiting:
                loop.call_soon(self._look_up)
            self._waiting.append(key)
        return asyncio.shield(found)

    def put(self, key: K, value: V) -> None:
        """Remembers a value that came with something else."""
        if key not in self._values:
            self._values[key] = asyncio.get_running_loop().create_future()
            self._values[key].set_result(value)

    def _look_up(self) -> None:
        keys, self._waiting = self._waiting, []
        task = asyncio.create_task(self._fill(keys))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _fill(self, keys: list[K]) -> None:
        try:
            found = await self._find(keys)
        except Exception as error:  # noqa: BLE001 - whoever waits for a value gets it
            for key in keys:
                self._values[key].set_exception(error)
            return
        for key in keys:
            self._values[key].set_result(found.get(key))
