"""A few threads that read an SQLite file beside the writer, each with a connection of its own."""

import pathlib
import queue
import sqlite3
import threading

from fixieai.storage import sqlite_connection
from fixieai.storage.jobs import Job
from fixieai.storage.sqlite_connection import SqliteTransaction

_THREADS = 3


class SqliteReaders:
    """Runs each job in one view of the database: what its first statement sees, all of them see."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        connections = [sqlite_connection.open_reader(path) for _ in range(_THREADS)]
        self._threads = [
            threading.Thread(target=self._serve, args=(connection,), name="fixie-reader", daemon=True)
            for connection in connections
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

    def _serve(self, connection: sqlite3.Connection) -> None:
        transaction = SqliteTransaction(connection, self._path)
        while (job := self._queue.get()) is not None:
            connection.execute("BEGIN")
            try:
                job.run(transaction)
            except BaseException as error:  # noqa: BLE001 - the thread outlives whatever a function raises
                job.fail(error)
            # Commit or rollback is the same to a reader, and rollback cannot fail.
            connection.rollback()
            Job.deliver([job])
            del job  # no result is kept in memory until the next read
        connection.close()
