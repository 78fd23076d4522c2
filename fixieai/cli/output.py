"""Text for people: dimmed, tabular and free of control characters at a terminal, plain in a pipe."""

import datetime as dt
import sys
from collections.abc import Callable, Iterable, Sequence

import click

_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)
}


def is_terminal(*, err: bool = False) -> bool:
    stream = sys.stderr if err else sys.stdout
    return stream is not None and stream.isatty()


def printable(text: str, *, err: bool = False) -> str:
    """The text, without what would move the cursor or recolour a terminal; exactly as it is in a pipe."""
    return text.replace("\r\n", "\n").translate(_CONTROLS) if is_terminal(err=err) else text


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Prints text that came from elsewhere."""
    click.echo(printable(text, err=err), err=err, nl=nl)


def hint(text: str, *, err: bool = False) -> None:
    """Prints a dimmed line: about the answer, not the answer."""
    click.secho(printable(text, err=err), dim=True, err=err)


def confirm(question: str) -> None:
    """Asks whoever sits at a terminal; a script has decided. Raises click.Abort: they said no."""
    if sys.stdin is not None and sys.stdin.isatty():
        click.confirm(printable(question), abort=True, err=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows: aligned and cut to the width of a terminal, or separated by tabs and whole in a pipe."""
    if not is_terminal():
        for row in rows:
            click.echo("\t".join(" ".join(cell.split()) for cell in row))
        return
    import rich.console  # noqa: PLC0415 - only a terminal needs it
    import rich.table  # noqa: PLC0415 - only a terminal needs it
    import rich.text  # noqa: PLC0415 - only a terminal needs it

    shown = rich.table.Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        shown.add_column(heading, no_wrap=True, overflow="ellipsis")
    for row in rows:
        shown.add_row(*(rich.text.Text(printable(" ".join(cell.split()))) for cell in row))
    rich.console.Console().print(shown)


def age(timestamp: str | None) -> str:
    """How long ago an ISO-8601 time was, in its largest unit: `3 min`."""
    if not timestamp:
        return ""
    seconds = (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(timestamp)).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "now"


def size(count: int) -> str:
    """A number of bytes in its largest unit: `1.5 MB`."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} B"


def progress(label: str, then: str) -> Callable[[int, int], None]:
    """Shows at a terminal how much of something is done, and says `then` when all of it is."""
    shown = [-1]

    def show(done: int, whole: int) -> None:
        percent = 100 * done // max(whole, 1)
        if is_terminal(err=True) and percent != shown[0]:
            shown[0] = percent
            click.echo(f"\r{label} {percent} %", err=True, nl=done >= whole)
        if done >= whole:
            hint(then, err=True)

    return show
