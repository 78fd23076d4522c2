"""Points in time as they are stored: ISO 8601 in UTC with microseconds. Sorting texts sorts times."""

import datetime as dt


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


def at(seconds: float) -> str:
    """The point in time of a number of Unix seconds."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="microseconds")
