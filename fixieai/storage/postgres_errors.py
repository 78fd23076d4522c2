"""What errors of Postgres mean to whoever runs the platform. Addresses and statements stay out of them.

A connection that fails has no SQLSTATE in psycopg: what the server says tells a refusal from an outage,
if it says it in English. In other languages a refusal is an outage as any other.
"""

import re
from collections.abc import Callable

import psycopg
from psycopg import errors as codes

from fixieai import errors
from fixieai.storage.transaction import DatabaseUnavailable

_RETRY_SECONDS = 5.0
_LONGEST_SAID = 300
# What a server refuses to who connects, and will again until somebody changes something (SQLSTATE 28P01,
# 28000, 3D000, 42501), with what to change.
_REFUSALS = (
    (re.compile(r"\w+ authentication failed.*"), "Correct its user and password"),
    (
        re.compile(r"\w+: no password supplied"),
        "Put the password in it, as in postgresql://user:password@host/database",
    ),
    (
        re.compile(r"role \".*\" (?:does not exist|is not permitted to log in)"),
        "Correct its user, or create that role",
    ),
    (re.compile(r"database \".*\" does not exist"), "Correct its database, or create that one"),
    (re.compile(r"permission denied for database .*"), "Give its user the right to connect"),
    (re.compile(r"(?:no )?pg_hba\.conf .*"), "Let its user in, in the server's pg_hba.conf"),
)


# With any of these the server ends the connection.
_ENDINGS = (
    codes.AdminShutdown,
    codes.CrashShutdown,
    codes.IdleSessionTimeout,
    codes.IdleInTransactionSessionTimeout,
)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, and with it the transaction."""
    return isinstance(error, (psycopg.InterfaceError, *_ENDINGS)) or (
        isinstance(error, psycopg.OperationalError) and (error.sqlstate is None or error.sqlstate[:2] == "08")
    )


def is_of_standby(error: BaseException) -> bool:
    """Whether the server only lets read. For whoever has to write: a failover is on its way, or it was."""
    return isinstance(error, codes.ReadOnlySqlTransaction)


def is_undone(error: BaseException) -> bool:
    """Whether a commit that failed like this has stored nothing: the transaction had ended before it."""
    return isinstance(error, codes.IdleInTransactionSessionTimeout)


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


def refusal(error: BaseException) -> str | None:
    """Why a server that is there does not let us in; None when it may be an outage."""
    found = _refusal(error)
    return found and found[0]


def explain_first(error: BaseException, named: str = "FIXIE_DATABASE_URL") -> BaseException:
    """As `explain`, of the first connection to a database: what waiting does not cure is told from an outage.

    `named` is where the person wrote the address, which the message does not repeat: a password is in it.
    """
    refused = _refusal(error)
    if refused is not None:
        return errors.ConfigurationError(
            f"The database server refuses what {named} says: {refused[0]}. {refused[1]}."
        )
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return errors.ConfigurationError(
            f"{named} cannot be read. It must be as postgresql://user:password@host/database, with "
            "percent-encoding for what is neither letter nor digit in the user and the password (%2F is /)."
        )
    meaning = explain(error)
    if isinstance(meaning, DatabaseUnavailable):
        return DatabaseUnavailable(
            f"The database that {named} names cannot be reached at the moment: check that its server runs, "
            "and that the host and the port are right.",
            retry_after=_RETRY_SECONDS,
        )
    return meaning


def _refusal(error: BaseException) -> tuple[str, str] | None:
    """What the server says, and what to do."""
    if not isinstance(error, psycopg.OperationalError) or error.sqlstate is not None:
        return None
    for pattern, advice in _REFUSALS:
        said = pattern.search(str(error))
        if said is not None:
            return said[0][:_LONGEST_SAID], advice
    return None


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
    ((psycopg.OperationalError, psycopg.InterfaceError, *_ENDINGS), _unreachable),
)
