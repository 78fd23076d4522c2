"""How much of the past a conversational agent is shown."""

from collections.abc import Sequence

from fixieai.protocol.transcript import Line, LineKind


def window(history: Sequence[Line], characters: int) -> Sequence[Line]:
    """The newest whole turns (a query and all that follows it) of at most so many characters.

    Reads no more of the history than it keeps, and one turn. What comes before the first query
    belongs to no turn and is left out.
    """
    start, size = len(history), 0
    for position in range(len(history) - 1, -1, -1):
        line = history[position]
        size += len(line.text)
        if size > characters:
            break
        if line.kind is LineKind.QUERY:
            start = position
    return history[start:]
