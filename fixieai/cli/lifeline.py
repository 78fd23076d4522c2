"""The socket between a command and a process it started: each learns from it of the other's end."""

import contextlib
import os
import signal
import socket
import threading
import time

_GRACE_SECONDS = 10.0
_held: list[socket.socket] = []


def hold(number: int) -> None:
    """Holds on to the parent by the socket of that number: when the parent is gone, this process ends."""
    lifeline = socket.socket(fileno=number)
    _held.append(lifeline)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()


def tell_ready(text: str = "") -> None:
    """Tells the parent, if one is held on to, that this process is ready, and one line more."""
    for lifeline in _held:
        lifeline.sendall(f"{text}\n".encode())


def _end_with_parent(lifeline: socket.socket) -> None:
    with contextlib.suppress(OSError):  # reset: the parent was killed
        lifeline.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
