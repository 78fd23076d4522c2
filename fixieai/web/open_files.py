"""Open files. A connection is one, and the system gives a process only so many: 256 on many a laptop.

Without room for another, asyncio's servers log a traceback for each of thousands of tries, again
every second. So room is made beforehand, a server takes no more connections than fit, and where
it runs out all the same (an agent's author opens files too), one line is logged a minute.
"""

import asyncio
import contextlib
import errno
import logging
import sys
import time
from typing import Any

if sys.platform != "win32":
    import resource

_WANTED = 2_500
_FOR_OTHERS = 40
_FEWEST = 8
_SECONDS_BETWEEN_LINES = 60.0
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
_logger = logging.getLogger("fixieai.web")


def connections_that_fit(wanted: int) -> int:
    """At most `wanted`: a third of what the process may open, which it shares with a second server
    (an agent's own platform) and with the connections to agents and models. Asks the system for more first.
    """
    return min(wanted, max(_FEWEST, (_limit() - _FOR_OTHERS) // 3))


def _limit() -> int:
    if sys.platform == "win32":
        return _WANTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _WANTED:
        return _WANTED
    more = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
        soft = more
    return soft


class Complaints:
    """What an event loop does with failures that nobody awaits, for `loop.set_exception_handler`."""

    def __init__(self) -> None:
        self._last = -_SECONDS_BETWEEN_LINES

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, ValueError) and "_start_serving" in context["message"]:
            return  # asyncio wants to accept again after a pause, and the socket was closed meanwhile
        if not (
            isinstance(error, OSError) and error.errno in _OUT_OF_FILES and "accept" in context["message"]
        ):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            _logger.error("Too many open files: new connections wait. Raise the limit (`ulimit -n`).")
