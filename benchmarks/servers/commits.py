"""The floor of what a query writes: five rows, each committed by itself. Prints bytes per five.

Arguments: a folder, how many times five.
"""

import pathlib
import sqlite3
import sys

from benchmarks.processes import written_bytes

_ROWS = 5


def main(folder: pathlib.Path, times: int) -> float:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    before = written_bytes("self")
    for _ in range(times * _ROWS):
        connection.execute("INSERT INTO messages (text) VALUES (?)", ("x" * 200,))
    return (written_bytes("self") - before) / times


if __name__ == "__main__":
    print(main(pathlib.Path(sys.argv[1]), int(sys.argv[2])))
