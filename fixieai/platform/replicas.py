"""What a platform does because others may use its database too: it beats, and learns what they changed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from fixieai import errors
from fixieai.platform import local_user
from fixieai.platform.services import Platform
from fixieai.platform.shared_keys import RELOAD_SECONDS
from fixieai.platform.signing_keys import SigningKeys

# How old what is known of other platforms may be: which revisions are current.
CATCH_UP_SECONDS = 2.0
_logger = logging.getLogger("fixieai.platform")


@contextlib.asynccontextmanager
async def together(platform: Platform, keys: SigningKeys) -> AsyncIterator[None]:
    """Within the block this platform works with the others; one that is alone has nothing to do."""
    if platform.settings.is_alone:
        yield
        return

    async def keep_up() -> None:
        await keys.reload()
        await local_user.ensure_key(platform.settings.home, platform.auth)

    tasks = [asyncio.create_task(_again_and_again(keep_up, RELOAD_SECONDS))]
    if platform.settings.takes_up_work:
        work = _Work(platform)
        tasks += [
            asyncio.create_task(platform.executor.beat_for_ever(work)),
            asyncio.create_task(_again_and_again(platform.revisions.catch_up, CATCH_UP_SECONDS)),
        ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Work:
    """What this platform takes over from others that are no longer there. See `executors.Runs`."""

    def __init__(self, platform: Platform) -> None:
        self._runner = platform.runner
        self._revisions = platform.revisions

    async def take_over(self) -> None:
        await self._runner.take_over()
        await self._revisions.take_over()

    async def end_cancelled(self) -> None:
        await self._runner.end_cancelled()

    def drop(self) -> None:
        self._runner.drop()


async def _again_and_again(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """The database may be away for a while; then the next time counts."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except errors.ServiceUnavailable:
            continue
        except Exception:
            _logger.exception("what other platforms changed could not be read")
