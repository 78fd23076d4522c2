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
        tasks.append(asyncio.create_task(platform.executor.beat_for_ever(platform.runner)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
