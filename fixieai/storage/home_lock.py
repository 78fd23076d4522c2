"""One platform per home: two on one SQLite file would each believe that they alone write.

The lock is the operating system's (`flock`), so it ends with the process that holds it, however
that ends. The file stays, and names the last holder. The folder itself is locked as well: whoever
takes the file for a leftover and removes it gets no second platform.
"""

import contextlib
import fcntl
import os
import pathlib
import time

from fixieai import errors

_FILE = "platform.lock"
# Whoever looks does so for some microseconds.
_LOOKERS = 1_000
_LOOK_SECONDS = 0.001


class HomeLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, *descriptors: int) -> None:
        self._descriptors = descriptors

    def release(self) -> None:
        """Lets another platform have the home; a second call does nothing."""
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)


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
    folder = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    lock = HomeLock(descriptor, folder)
    try:
        _lock_file(descriptor)
        _lock_folder(folder)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        lock.release()
        raise errors.Conflict(
            f"Another platform (process {holder}) already uses {home}. Stop it, or set FIXIE_HOME to "
            f"another folder."
        ) from error
    # Nothing is lost when the disk is too full for the pid: it is the lock that counts.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return lock


def holder(home: pathlib.Path) -> int | None:
    """The pid of the platform that has the home now; None when none has."""
    try:
        descriptor = os.open(home / _FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        pid = os.pread(descriptor, 32, 0).strip()
        return int(pid) if pid.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def _lock_file(descriptor: int) -> None:
    """Raises BlockingIOError when another process has it. Those who only look (`holder`) are waited for."""
    for _ in range(_LOOKERS):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # refused by a platform alone
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(_LOOK_SECONDS)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_folder(folder: int) -> None:
    """Raises BlockingIOError when another process has it. Some file systems lock files alone."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return
