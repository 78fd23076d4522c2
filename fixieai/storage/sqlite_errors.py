"""What errors of SQLite and of the file system mean to whoever runs the platform: which file, what to do."""

import errno
import pathlib
import shutil
import sqlite3
from collections.abc import Callable

from fixieai import errors
from fixieai.storage.transaction import DatabaseUnavailable

_PRIMARY_CODE = 0xFF
_NEEDED_BYTES = 1024 * 1024


def explain(error: BaseException, path: pathlib.Path) -> BaseException:
    """The error to raise instead. What only a defect of ours can cause comes back as it is."""
    if isinstance(error, UnicodeEncodeError):
        return errors.UnprocessableContent("Text with half of a surrogate pair cannot be stored.")
    if isinstance(error, OverflowError):
        return errors.UnprocessableContent("A number is too large to be stored.")
    if isinstance(error, sqlite3.DataError):
        return errors.ContentTooLarge("This is too large to be stored.")
    if isinstance(error, OSError):
        return full(path) if error.errno == errno.ENOSPC else no_access(path)
    make = _MEANINGS.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE)
    return make(path) if make else error


def full(path: pathlib.Path) -> errors.FixieError:
    return _at(path, errors.StorageFull(f"No room left to write {path}. Free some space on its disk."))


def _at(path: pathlib.Path, error: errors.FixieError) -> errors.FixieError:
    error.place = str(path)
    return error


def _io_error(path: pathlib.Path) -> errors.FixieError:
    # A full disk shows as an I/O error too, where SQLite needs room for a file beside the database.
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        free = _NEEDED_BYTES
    if free < _NEEDED_BYTES:
        return full(path)
    return _at(
        path, DatabaseUnavailable(f"The disk failed while {path} was read or written. Check the disk.")
    )


def _locked(path: pathlib.Path) -> errors.FixieError:
    return _at(path, DatabaseUnavailable(f"Another program has {path} locked. Close it, and try again."))


def damaged(path: pathlib.Path) -> errors.FixieError:
    text = (
        f"{path} is damaged, or is not a database. Stop the platform, keep a copy of the file and put a "
        f"backup in its place, or save what can be read with `sqlite3 {path} .recover`."
    )
    return _at(path, errors.ConfigurationError(text))


def no_access(path: pathlib.Path) -> errors.FixieError:
    text = (
        f"{path} cannot be opened for writing. Make the file and its folder writable for this user, or set "
        f"FIXIE_HOME to another folder."
    )
    return _at(path, errors.ConfigurationError(text))


def _constraint(_path: pathlib.Path) -> errors.FixieError:
    return errors.Conflict()


_MEANINGS: dict[int, Callable[[pathlib.Path], errors.FixieError]] = {
    sqlite3.SQLITE_FULL: full,
    sqlite3.SQLITE_IOERR: _io_error,
    sqlite3.SQLITE_BUSY: _locked,
    sqlite3.SQLITE_LOCKED: _locked,
    sqlite3.SQLITE_PROTOCOL: _locked,
    sqlite3.SQLITE_CORRUPT: damaged,
    sqlite3.SQLITE_NOTADB: damaged,
    sqlite3.SQLITE_READONLY: no_access,
    sqlite3.SQLITE_CANTOPEN: no_access,
    sqlite3.SQLITE_PERM: no_access,
    sqlite3.SQLITE_AUTH: no_access,
    sqlite3.SQLITE_CONSTRAINT: _constraint,
}
