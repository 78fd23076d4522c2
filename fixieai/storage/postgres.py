"""The Postgres engine: `postgresql://user@host/database`. It needs the extra `fixieai[postgres]`."""

import psycopg

from fixieai.storage import postgres_connection, postgres_errors
from fixieai.storage.postgres_lane import PostgresLane
from fixieai.storage.postgres_notices import PostgresNotices

_READERS = 4
_WRITERS = 8


def open_lanes(url: str) -> tuple[PostgresLane, PostgresLane]:
    """The lanes for reads and for writes, once the schema is the newest.

    Raises:
        ServiceUnavailable: the server cannot be reached.
        ConfigurationError: it refuses the user or the database, or has a newer schema.
    """
    migrate(url)
    return PostgresLane(url, _READERS, is_read_only=True), PostgresLane(url, _WRITERS, is_read_only=False)


def notices(url: str) -> PostgresNotices:
    """The way to the other processes on that database."""
    return PostgresNotices(url)


def migrate(url: str) -> int:
    """Brings the schema up; how many steps that took. Raises as `open_lanes`."""
    try:
        with postgres_connection.first(url) as connection:
            return postgres_connection.migrate(connection)
    except psycopg.Error as error:
        raise postgres_errors.explain(error) from error
