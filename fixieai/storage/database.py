"""The one door to what is stored: `read` and `write` run plain functions on database threads.

    database = await connect("sqlite:///home/me/.local/share/fixie/fixie.db")
    session = await database.write(sessions.create, owner_id, handle, None)

A write has returned: it is on disk. Whatever engine the URL names, the functions, their statements
and their callers stay the same; an engine is two lanes, one for reads and one for writes.
"""

import asyncio
import contextlib
import pathlib
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from fixieai import errors
from fixieai.storage import sqlite_connection
from fixieai.storage.jobs import Job
from fixieai.storage.notices import NoNotices, Notices
from fixieai.storage.sqlite_readers import SqliteReaders
from fixieai.storage.sqlite_writer import SqliteWriter
from fixieai.storage.telling import Tell, as_it_is, told
from fixieai.storage.transaction import Transaction

_POSTGRES = ("postgres", "postgresql")
P = ParamSpec("P")
T = TypeVar("T")


class Lane(Protocol):
    """Runs jobs on threads of its own, each in a transaction."""

    def submit(self, job: Job) -> None: ...

    def close(self) -> None:
        """Finishes what was submitted, then lets go of files and threads."""
        ...


class Database:
    """Functions run in a transaction of their own: all they changed is stored, or nothing.

    `notices` is the way to the other processes that use it.
    """

    def __init__(self, readers: Lane, writer: Lane, notices: Notices | None = None) -> None:
        self._readers = readers
        self._writer = writer
        self.notices: Notices = notices or NoNotices()
        self._is_closed = False
        self.tell: Tell = as_it_is

    async def read(
        self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function finds, in one consistent view of all that was written before."""
        return await self._run(self._readers, lambda transaction: function(transaction, *args, **kwargs))

    async def write(
        self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function returns, once what it changed is on disk.

        Cancelling the caller does not undo the write. When the function raises, nothing of it is
        stored. The function may be run twice (see the package's docstring).
        """
        return await self._run(self._writer, lambda transaction: function(transaction, *args, **kwargs))

    async def ask_whether_it_answers(self) -> None:
        """Raises ServiceUnavailable, ConfigurationError, ... when it does not."""
        await self.read(lambda transaction: transaction.row("SELECT 1", {}))

    async def close(self) -> None:
        """Finishes what was begun; later calls get ServiceUnavailable."""
        if not self._is_closed:
            self._is_closed = True
            # Readers first: the last connection to close is the writer, which copies the log back.
            await asyncio.to_thread(self._readers.close)
            await asyncio.to_thread(self._writer.close)

    async def _run(self, lane: Lane, work: Callable[[Transaction], T]) -> T:
        if self._is_closed:
            raise errors.ServiceUnavailable("The platform is shutting down.")
        job = Job(work)
        lane.submit(job)
        with told(self.tell):
            result: T = await job.future
        return result


async def connect(url: str) -> Database:
    """Opens the database, creating it or bringing its schema up to date.

    On SQLite the caller holds the lock of the home (`home_lock`). Files up to 64 MiB are checked
    for damage first (`quick_check`, 0.1 s); in larger ones damage is reported when it is met.

    Raises:
        ConfigurationError: the URL is neither `sqlite:///absolute/path` nor `postgresql://...`; the file
            cannot be opened or written, is damaged, belongs to another program or has a newer schema.
        StorageFull: there is no room for it.
        ServiceUnavailable: another program keeps it locked.
    """
    if is_postgres(url):
        return await asyncio.to_thread(_open_postgres, url)
    return await asyncio.to_thread(_open_sqlite, sqlite_path(url))


def is_postgres(url: str) -> bool:
    """Whether the URL names a database of a server."""
    return url.partition(":")[0].lower() in _POSTGRES


def sqlite_url(path: pathlib.Path) -> str:
    """The URL of a file, whatever characters its path holds."""
    return f"sqlite://{urllib.parse.quote(str(path.absolute()))}"


def sqlite_path(url: str) -> pathlib.Path:
    """The file that a URL names, percent-encoding undone.

    Raises:
        ConfigurationError: the URL is of another kind.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "sqlite":
        raise errors.ConfigurationError(
            f"Databases of the kind {parts.scheme!r} are not supported. Use postgresql://user@host/database."
        )
    # `sqlite:////home` means `/home` too: others count the slashes that way.
    path = pathlib.Path("/", urllib.parse.unquote(parts.path).lstrip("/"))
    if parts.netloc or parts.query or parts.fragment or not path.name:
        raise errors.ConfigurationError("Write the database's URL as sqlite:///absolute/path/fixie.db.")
    return path


@contextlib.contextmanager
def needing_psycopg() -> Iterator[None]:
    """For imports of what speaks to Postgres. Raises ConfigurationError: the extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise errors.ConfigurationError("Postgres needs: pip install 'fixieai[postgres]'") from error


def _open_postgres(url: str) -> Database:
    with needing_psycopg():
        from fixieai.storage import postgres  # noqa: PLC0415 - an optional extra
    return Database(*postgres.open_lanes(url), postgres.notices(url))


def _open_sqlite(path: pathlib.Path) -> Database:
    writer = SqliteWriter(sqlite_connection.open_writer(path), path)
    try:
        readers = SqliteReaders(path)
    except BaseException:
        writer.close()
        raise
    return Database(readers, writer)
