"""What errors of Postgres mean to whoever runs the platform. Addresses and statements stay out of them."""

import psycopg
from psycopg import errors as codes

from fixieai import errors

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
    if isinstance(error, UnicodeEncodeError):
        return errors.UnprocessableContent("Text with half of a surrogate pair cannot be stored.")
    if isinstance(error, (codes.DiskFull, codes.OutOfMemory)):
        return errors.StorageFull("The database server has no room left.")
    if isinstance(error, psycopg.IntegrityError):
        return errors.Conflict()
    if isinstance(error, (codes.NumericValueOutOfRange, codes.ProgramLimitExceeded)):
        return errors.UnprocessableContent("A value is too large to be stored.")
    if isinstance(
        error, (codes.InvalidPassword, codes.InvalidAuthorizationSpecification, codes.InvalidCatalogName)
    ):
        return errors.ConfigurationError(
            "The database server refuses FIXIE_DATABASE_URL: its user, password or database."
        )
    if isinstance(error, codes.ReadOnlySqlTransaction):
        return errors.ConfigurationError("The database is not open for writing.")
    if isinstance(error, codes.InsufficientPrivilege):
        return errors.ConfigurationError(
            "The database user may not do that: it has to own the schema it uses."
        )
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return errors.ServiceUnavailable(
            "The database cannot be reached at the moment.", retry_after=_RETRY_SECONDS
        )
    return error
