"""One platform per home: two on one SQLite file would each believe that they alone write.

The lock is the operating system's (`flock`), so it ends with the process that holds it, however
that ends. The file stays, and names the last holder.
"""

import contextlib
import fcntl
import os
import pathlib

from fixieai import errors

_FILE = "platform.lock"


class HomeLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Lets another platform have the home; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def acquire(home: pathlib.Path) -> HomeLock:
    """Makes this process the one platform of a home. Creates the folder (0700) when there is none.

    Raises:
        Conflict: another process is; the message names its pid.
        ConfigurationError: the folder cannot be written to.
    """
    path = home / _FILE
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise errors.ConfigurationError(
            f"Cannot write {path}: {error.strerror}. Make the folder writable, or set FIXIE_HOME to another."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise errors.Conflict(
            f"Another platform (process {holder}) already uses {home}. Stop it, or set FIXIE_HOME to "
            f"another folder."
        ) from error
    # Nothing is lost when the disk is too full for the pid: it is the lock that counts.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return HomeLock(descriptor)
