"""The platform on this machine: the one that runs, or one brought up in this process."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Iterator

from fixieai import errors
from fixieai.agents import registration
from fixieai.web.server import BackgroundServer

# The platform stands above the agents' layer, which must not import it: it is named, not known.
_EMBEDDED_PLATFORM = "fixieai.platform.serving"
_LOOKS = 25
_SECONDS_BETWEEN_LOOKS = 0.2


@contextlib.contextmanager
def running(api_url: str) -> Iterator[BackgroundServer | None]:
    """While a platform answers at the address: this process's own, which ends with the block, or None.

    It has a thread and an event loop of its own, so that an author's code that blocks does not block it.

    Raises:
        FixieError: there is none, and none can be brought up; the message says why and what to do.
    """
    own = None if registration.is_there(api_url) else _bring_up(api_url)
    try:
        yield own
    finally:
        if own is not None:
            own.stop()


def _bring_up(api_url: str) -> BackgroundServer | None:
    """None when another process was quicker."""
    try:
        own: BackgroundServer = importlib.import_module(_EMBEDDED_PLATFORM).embedded()
        own.start()
    except errors.FixieError:
        if _comes_up(api_url):
            return None
        raise
    return own


def _comes_up(api_url: str) -> bool:
    for _ in range(_LOOKS):
        if registration.status(api_url).is_platform:
            return True
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return False
