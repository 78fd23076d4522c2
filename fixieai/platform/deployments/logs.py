"""What deployed programs printed, as their keepers kept it: lines with their time."""

import contextlib
import pathlib
import time

_TIME_LENGTH = len("2026-01-01T00:00:00+00:00 ")
_KEPT_SECONDS = 30 * 24 * 3600
_ERROR_MARKS = ("ERROR: ", "npm error ")


def tail(path: pathlib.Path, limit: int) -> list[str]:
    """The newest lines, the oldest of them first; control characters are escaped."""
    lines: list[str] = []
    for part in (path.with_name(f"{path.name}.1"), path):
        with contextlib.suppress(FileNotFoundError):  # its keeper may begin it anew at any moment
            lines += part.read_bytes().decode("utf-8", "replace").split("\n")[:-1]
    return [_printable(line) for line in lines[-limit:]] if limit > 0 else []


def last_lines(path: pathlib.Path, limit: int) -> str:
    """What the program printed last, without times and without what the platform says there."""
    lines = [line[_TIME_LENGTH:] for line in tail(path, 100)]
    said = [line for line in lines if line.strip() and not line.startswith("[platform] ")]
    return "\n".join(said[-limit:])


def last_error(path: pathlib.Path) -> str:
    """The last line of an installer that says what is wrong, "" when none does."""
    for line in reversed(last_lines(path, 100).split("\n")):
        for mark in _ERROR_MARKS:
            if line.startswith(mark):
                return line.removeprefix(mark).rstrip(".")
    return ""


def remove_old(folder: pathlib.Path) -> None:
    """Removes the logs of programs that have not printed anything for 30 days."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # as in `tail`
            if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                path.unlink()


def remove(path: pathlib.Path) -> None:
    for part in (path, path.with_name(f"{path.name}.1")):
        part.unlink(missing_ok=True)


def _printable(line: str) -> str:
    return "".join(
        character if character.isprintable() or character == "\t" else ascii(character)[1:-1]
        for character in line
    )
