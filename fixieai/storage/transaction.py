"""What a storage function is given: three ways to run one statement, on whichever engine."""

from collections.abc import Mapping
from typing import Any, Protocol

from fixieai import errors

Value = str | int | float | None
Params = Mapping[str, Value]
Row = tuple[Any, ...]


class DatabaseUnavailable(errors.ServiceUnavailable):
    """The database cannot be reached at the moment."""


class Transaction(Protocol):
    """Statements name their parameters `:name`; all of one transaction are stored, or none.

    Every method raises UnprocessableContent for text that cannot be stored (it holds NUL or half
    a surrogate pair), StorageFull, DatabaseUnavailable or ConfigurationError when the engine fails,
    and Conflict when a constraint of the schema forbids the change.
    """

    def rows(self, sql: str, params: Params) -> list[Row]:
        """All rows of the result."""
        ...

    def row(self, sql: str, params: Params) -> Row | None:
        """The first row, None when there is none."""
        ...

    def execute(self, sql: str, params: Params) -> int:
        """Runs a change; the number of rows it changed."""
        ...
