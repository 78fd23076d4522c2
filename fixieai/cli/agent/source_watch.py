"""Notices that the Python files of a folder changed, by looking at them."""

import os
import pathlib

_SKIPPED = ("__pycache__", "node_modules", "site-packages")


class SourceWatch:
    """The `*.py` files below `folder`, without hidden folders and virtual environments."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._seen = self._look()

    def changed(self) -> list[str]:
        """The files that changed, came or went since the last look, by their names within the folder."""
        seen, self._seen = self._seen, self._look()
        return sorted({name for name, _ in seen.items() ^ self._seen.items()})

    def _look(self) -> dict[str, tuple[int, int]]:
        found = {}
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if not is_skipped(folder, name)]
            for file in files:
                stamp = _stamp(pathlib.Path(folder, file)) if file.endswith(".py") else None
                if stamp is not None:
                    found[str(pathlib.Path(folder, file).relative_to(self._folder))] = stamp
        return found


def _stamp(path: pathlib.Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:  # gone while we looked, or a link to nothing
        return None
    return status.st_mtime_ns, status.st_size


def is_skipped(folder: str | pathlib.Path, name: str) -> bool:
    """Whether a folder holds nothing that was written for the agent: hidden, made, or installed."""
    is_environment = pathlib.Path(folder, name, "pyvenv.cfg").exists()
    return name.startswith(".") or name in _SKIPPED or is_environment
