"""What errors of Postgres mean to whoever runs the platform. Addresses and statements stay out of them."""

from collections.abc import Callable

import psycopg
from psycopg import errors as codes

from fixieai import errors
from fixieai.storage.transaction import DatabaseUnavailable

_RETRY_SECONDS = 5.0


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, and with it the transaction."""
    return isinstance(error, (psycopg.InterfaceError, codes.AdminShutdown, codes.CrashShutdown)) or (
        isinstance(error, psycopg.OperationalError) and (error.sqlstate is None or error.sqlstate[:2] == "08")
    )


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction, run again at once, is likely to succeed."""
    return isinstance(
        error,
        (codes.SerializationFailure, codes.DeadlockDetected, codes.UniqueViolation, codes.LockNotAvailable),
    )


def explain(error: BaseException) -> BaseException:
    """The error to raise instead. What only a defect of ours can cause comes back as it is."""
    for kinds, make in _MEANINGS:
        if isinstance(error, kinds):
            return make()
    return error


def _unreachable() -> errors.FixieError:
    return DatabaseUnavailable(retry_after=_RETRY_SECONDS)


def _refused() -> errors.FixieError:
    return errors.ConfigurationError(
        "The database server refuses FIXIE_DATABASE_URL: its user, its password or its database."
    )


# The first that fits counts.
_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Callable[[], errors.FixieError]], ...] = (
    (
        (UnicodeEncodeError,),
        lambda: errors.UnprocessableContent("Text with half of a surrogate pair cannot be stored."),
    ),
    (
        (codes.DiskFull, codes.OutOfMemory),
        lambda: errors.StorageFull("The database server has no room left."),
    ),
    ((psycopg.IntegrityError,), errors.Conflict),
    (
        (codes.NumericValueOutOfRange, codes.ProgramLimitExceeded),
        lambda: errors.UnprocessableContent("A value is too large to be stored."),
    ),
    ((codes.InvalidPassword, codes.InvalidAuthorizationSpecification, codes.InvalidCatalogName), _refused),
    (
        (codes.ReadOnlySqlTransaction,),
        lambda: errors.ConfigurationError("The database is not open for writing."),
    ),
    (
        (codes.InsufficientPrivilege,),
        lambda: errors.ConfigurationError("The database user has to own the schema that the platform uses."),
    ),
    ((psycopg.OperationalError, psycopg.InterfaceError), _unreachable),
)
