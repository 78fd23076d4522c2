"""Where the platform of a home answers, for commands on this machine: a file beside its lock.

The file says whose it is. One that a killed platform left behind is not believed.
"""

import contextlib
import json
import os
import pathlib
import time
from collections.abc import Iterator

from fixieai import errors
from fixieai.platform import private_files
from fixieai.platform.settings import Settings
from fixieai.storage import home_lock

FILE_NAME = "address"
_LOOKS = 50
_SECONDS_BETWEEN_LOOKS = 0.2


@contextlib.contextmanager
def published(settings: Settings) -> Iterator[None]:
    """While this process serves the home. Nothing is lost when the file cannot be written."""
    path = settings.home / FILE_NAME
    with contextlib.suppress(errors.FixieError):
        private_files.write(path, json.dumps({"pid": os.getpid(), "url": settings.local_url}))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def of_running(home: pathlib.Path) -> str | None:
    """The address of the platform that has the home; None when none has. One that starts is waited for.

    Raises:
        Conflict: one has it, and does not say where it is.
    """
    for _ in range(_LOOKS):
        pid = home_lock.holder(home)
        if pid is None:
            return None
        if url := _address(home, pid):
            return url
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    raise errors.Conflict(f"A platform (process {pid}) uses {home}, but it does not answer. Stop it first.")


def _address(home: pathlib.Path, pid: int) -> str | None:
    try:
        content = json.loads(private_files.read(home / FILE_NAME) or "{}")
    except ValueError:
        return None
    return str(content["url"]) if content.get("pid") == pid else None
