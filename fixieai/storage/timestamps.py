"""Points in time as they are stored: ISO 8601 in UTC with microseconds. Sorting texts sorts times."""

import datetime as dt


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
