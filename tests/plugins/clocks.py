"""A clock that tests set."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds since 1970, or of any other beginning; it stands still until `now` is set."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now
