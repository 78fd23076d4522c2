"""How stored bytes are removed once nobody needs them, and relied on while others may be removing them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from fixieai.storage import removals
from fixieai.storage.database import Database
from fixieai.storage.removals import StoredBytes
from fixieai.storage.transaction import Transaction

_SECONDS_BETWEEN_LOOKS = 0.05

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def remove(
    database: Database, stored: StoredBytes, content_hash: str, delete: Callable[[str], Awaitable[None]]
) -> None:
    """Has the bytes deleted, unless somebody needs them or is about to.

    The trace goes last: should the platform be stopped in between, they are found again.
    """
    began = time.monotonic()
    if not await database.write(stored.begin_removal, content_hash):
        return
    # A process that was asleep meanwhile may be too late: others may have stored the same bytes.
    if time.monotonic() - began < removals.SECONDS / 2:
        await delete(content_hash)
        await database.write(stored.end_removal, content_hash)


async def write_when_not_removed(
    database: Database,
    function: Callable[Concatenate[Transaction, _P], _T],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T:
    """What relies on bytes is written once nobody is removing them."""
    while True:
        try:
            return await database.write(function, *args, **kwargs)
        except removals.BeingRemoved:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
