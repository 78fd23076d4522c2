"""A few threads that run jobs on Postgres, each with a connection of its own and one transaction per job.

A connection that breaks is opened again, and the job on it run again, unless it broke while the
transaction was being committed: then nobody can know whether it was, and the caller is told.
"""

import functools
import queue
import threading
import time
from collections.abc import Callable

import psycopg

from fixieai.storage import postgres_connection, postgres_errors
from fixieai.storage.jobs import Job
from fixieai.storage.postgres_connection import PostgresTransaction
from fixieai.storage.transaction import Row

# Two messages of one session at once want the same position; one of them tries again.
_TRIES = 20
# As long as a restart or a failover takes.
_OUTAGE_SECONDS = 30.0
_PAUSE_SECONDS = 0.2


class PostgresLane:
    """Jobs in the order of their arrival, up to `threads` of them at once."""

    def __init__(self, url: str, threads: int, *, is_read_only: bool) -> None:
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        connect = functools.partial(postgres_connection.connect_for_jobs, url, is_read_only=is_read_only)
        workers = [
            _Worker(connect, self._queue, self._closing, is_read_only=is_read_only) for _ in range(threads)
        ]
        self._threads = [
            threading.Thread(target=worker.serve, name="fixie-postgres", daemon=True) for worker in workers
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        self._queue.put(job)

    def close(self) -> None:
        """Finishes what was submitted; what waits for a server that is away fails now."""
        self._closing.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()


class _Undone(Exception):
    """Nothing of the job was stored, because of `error`; `reason` is what the engine said."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.reason = error.__cause__ or error


class _Worker:
    """One thread and its connection, which is opened when the first job comes."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Row]],
        jobs: queue.SimpleQueue[Job | None],
        closing: threading.Event,
        *,
        is_read_only: bool,
    ) -> None:
        self._connect = connect
        self._is_read_only = is_read_only
        self._closing = closing
        self._jobs = jobs
        self._connection: psycopg.Connection[Row] | None = None

    def serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._run(job)
            except BaseException as error:  # noqa: BLE001 - the thread outlives whatever a function raises
                job.fail(postgres_errors.explain(error))
            Job.deliver([job])
            del job  # no result is kept in memory until the next one
        self._disconnect()

    def _run(self, job: Job) -> None:
        until = job.created + _OUTAGE_SECONDS
        tries = 0
        while True:
            tries += 1
            try:
                return self._run_once(job)
            except _Undone as undone:
                is_lost = self._is_lost(undone.reason)
                if is_lost:
                    self._disconnect()
                if is_lost and self._may_wait(until):
                    self._closing.wait(_PAUSE_SECONDS)
                elif not (postgres_errors.is_passing(undone.reason) and tries < _TRIES):
                    raise undone.error from None

    def _is_lost(self, reason: BaseException) -> bool:
        """Whether another connection is needed: this one is gone, or leads where nobody may write."""
        is_of_standby = postgres_errors.is_of_standby(reason) and not self._is_read_only
        return is_of_standby or postgres_errors.is_lost(reason)

    def _may_wait(self, until: float) -> bool:
        return time.monotonic() < until and not self._closing.is_set()

    def _run_once(self, job: Job) -> None:
        try:
            connection = self._connection = self._connection or self._connect()
            job.run(PostgresTransaction(connection))
        except BaseException as error:
            undone = _Undone(error)
            if self._connection is not None and not postgres_errors.is_lost(undone.reason):
                self._connection.rollback()
            raise undone from error
        try:
            connection.commit()
        except psycopg.Error as error:
            self._disconnect()
            if postgres_errors.is_undone(error):
                raise _Undone(error) from error
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
