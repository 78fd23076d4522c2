"""What the person types: edited and remembered at a terminal, plain lines from a pipe."""

import pathlib
import sys
from collections.abc import Iterator

import prompt_toolkit
from prompt_toolkit.history import FileHistory, History, InMemoryHistory


def lines(history_file: pathlib.Path | None) -> Iterator[str]:
    """Each line that holds something, until Ctrl-D or the end of the input. Ctrl-C cancels a line.

    What is typed at a terminal is remembered in `history_file`, or with None not beyond this run.
    """
    typed = _typed(_history(history_file)) if sys.stdin.isatty() and sys.stdout.isatty() else sys.stdin
    for line in typed:
        if line.strip():
            yield line.strip()


def _history(file: pathlib.Path | None) -> History:
    if file is None:
        return InMemoryHistory()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)  # before the first line is written: what people ask is theirs
    return FileHistory(file)


def _typed(history: History) -> Iterator[str]:
    session: prompt_toolkit.PromptSession[str] = prompt_toolkit.PromptSession(history=history)
    while True:
        try:
            yield session.prompt("> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
