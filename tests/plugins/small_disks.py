"""Disks of a few megabytes, and other places that only root can make."""

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

needs_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="mounting a small disk needs root"
)


@contextlib.contextmanager
def mounted(target: pathlib.Path, *arguments: str) -> Iterator[None]:
    """Skips where this process may not mount."""
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(target)], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)


def small_disk(target: pathlib.Path, options: str) -> contextlib.AbstractContextManager[None]:
    """`options` say how large it is: `size=3m`."""
    return mounted(target, "-t", "tmpfs", "-o", options, "tmpfs")
