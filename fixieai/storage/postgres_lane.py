"""A few threads that run jobs on Postgres, each with a connection of its own and one transaction per job.

A connection that breaks is opened again, and the job on it run again, unless it broke while the
transaction was being committed: then nobody can know whether it was, and the caller is told.
"""

import queue
import threading
import time
from typing import LiteralString

import psycopg

from fixieai.storage import postgres_connection, postgres_errors
from fixieai.storage.jobs import Job
from fixieai.storage.postgres_connection import PostgresTransaction
from fixieai.storage.transaction import Row

_TRIES = 20
_OUTAGE_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
# What the first statement of a read sees, all of them see.
_BEGIN_READING: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresLane:
    """Jobs in the order of their arrival, up to `threads` of them at once."""

    def __init__(self, url: str, threads: int, *, is_read_only: bool) -> None:
        self._url = url
        self._begin: LiteralString = _BEGIN_READING if is_read_only else "BEGIN"
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, name=f"fixie-postgres-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        self._queue.put(job)

    def close(self) -> None:
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        connection: psycopg.Connection[Row] | None = None
        while (job := self._queue.get()) is not None:
            try:
                connection = self._run(job, connection)
            except BaseException as error:  # noqa: BLE001 - the thread outlives whatever a function raises
                job.fail(postgres_errors.explain(error))
                if connection is not None and connection.broken:
                    connection = _close(connection)
            Job.deliver([job])
            del job
        if connection is not None:
            connection.close()

    def _run(self, job: Job, connection: psycopg.Connection[Row] | None) -> psycopg.Connection[Row]:
        """Runs the job to its end, or raises; the connection for the next one."""
        until = time.monotonic() + _OUTAGE_SECONDS
        tries = 0
        while True:
            try:
                connection = connection or self._connect()
                _run_once(job, connection, self._begin)
            except _Undone as undone:
                error = undone.error
                tries += 1
                if postgres_errors.is_lost(error) and time.monotonic() < until:
                    connection = _close(connection)
                    time.sleep(_PAUSE_SECONDS)
                elif not (postgres_errors.is_passing(error) and tries < _TRIES):
                    raise error from None
            else:
                return connection

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            return postgres_connection.connect(self._url)
        except psycopg.Error as error:
            raise _Undone(error) from error


class _Undone(Exception):
    """Nothing of the job was stored, because of `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


def _run_once(job: Job, connection: psycopg.Connection[Row], begin: LiteralString) -> None:
    try:
        connection.execute(begin)
        job.run(PostgresTransaction(connection))
    except BaseException as error:
        if not postgres_errors.is_lost(error):
            connection.execute("ROLLBACK")
        raise _Undone(error) from error
    connection.execute("COMMIT")


def _close(connection: psycopg.Connection[Row] | None) -> None:
    if connection is not None:
        connection.close()
