"""The one thread that writes to an SQLite file.

A commit waits for the disk, and the disk takes as long for one change as for a hundred. So the
changes that arrive while one commit waits are the next one (group commit):

    BEGIN IMMEDIATE
        SAVEPOINT job; first function;  RELEASE job
        SAVEPOINT job; second function; ROLLBACK TO job; RELEASE job     (it raised: alone undone)
    COMMIT, and only now is anybody told

Where SQLite gives up the whole transaction (disk full, I/O error), each function of the group is
run again in a transaction of its own, so that one too large change does not take the others along.
"""

import contextlib
import pathlib
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence

from fixieai.storage import sqlite_errors
from fixieai.storage.jobs import Job
from fixieai.storage.sqlite_connection import SqliteTransaction

_GROUP_SIZE = 128
_GROUP_SECONDS = 0.02


class _TransactionLost(Exception):
    """SQLite rolled the whole group back; the cause says why."""


class SqliteWriter:
    """Runs jobs in the order of their arrival."""

    def __init__(self, connection: sqlite3.Connection, path: pathlib.Path) -> None:
        self._connection = connection
        self._path = path
        self._transaction = SqliteTransaction(connection, path)
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="fixie-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._queue.put(job)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        for group in self._groups():
            done = 0
            while done < len(group):
                done += self._commit(group[done:])
            group.clear()  # no result is kept in memory until the next write
        self._connection.close()

    def _groups(self) -> Iterator[list[Job]]:
        """What has arrived, to a bound. While a group is committed the next one gathers."""
        while (job := self._queue.get()) is not None:
            group = [job]
            while len(group) < _GROUP_SIZE and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    yield group
                    return
                group.append(following)
            yield group

    def _commit(self, group: Sequence[Job]) -> int:
        """Runs jobs from the front, for a bounded time, in one transaction; how many are settled."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._fail(group, error)
            return len(group)
        ran: list[Job] = []
        try:
            self._run_for_a_while(group, ran)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, _TransactionLost) as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            self._recover(ran, error.__cause__ or error)
        else:
            Job.deliver(ran)
        return len(ran)

    def _run_for_a_while(self, group: Sequence[Job], ran: list[Job]) -> None:
        deadline = time.monotonic() + _GROUP_SECONDS
        for job in group:
            ran.append(job)
            self._run(job)
            if time.monotonic() > deadline:
                return

    def _run(self, job: Job) -> None:
        self._connection.execute("SAVEPOINT job")
        try:
            job.run(self._transaction)
        except BaseException as error:  # the thread outlives whatever a function raises
            job.fail(error)
            if not self._connection.in_transaction:
                raise _TransactionLost from error
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _recover(self, ran: Sequence[Job], error: BaseException) -> None:
        if len(ran) == 1:
            self._fail(ran, error)
            return
        for job in ran:
            self._commit([job])

    def _fail(self, jobs: Sequence[Job], error: BaseException) -> None:
        for job in jobs:
            job.fail(sqlite_errors.explain(error, self._path))
        Job.deliver(jobs)
