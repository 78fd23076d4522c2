"""How a query ends that has no answer: what is stored of that, and what its readers are told."""

import logging

from fixieai import errors
from fixieai.platform.journal import Cancelled, Journal
from fixieai.platform.runs import Failure
from fixieai.protocol.transcript import Line, LineKind
from fixieai.storage.transaction import DatabaseUnavailable

_logger = logging.getLogger("fixieai.platform")
_PLATFORM = "platform"
_INTERRUPTED = "interrupted"
RETRY_SECONDS = 2.0
_BEGINNING_SECONDS = 2.0
# A disk that is full, or became read-only, may be mended.
MAY_PASS = (DatabaseUnavailable, errors.StorageFull, errors.ConfigurationError)
_GOES_ON = Failure(
    _INTERRUPTED,
    "The platform is restarting. This query goes on by itself: its answer will be in the session.",
    503,
    RETRY_SECONDS,
)
GOES_ON_LATER = Failure(
    _INTERRUPTED,
    "The database cannot be used at the moment. This query goes on by itself when it can: its answer will "
    "be in the session.",
    503,
    RETRY_SECONDS,
)
_GOES_ON_ELSEWHERE = Failure(
    _INTERRUPTED,
    "This query goes on in another process of the platform: its answer will be in the session.",
    503,
    RETRY_SECONDS,
)
_NOT_BEGUN = Failure(
    _INTERRUPTED, "The platform is restarting, and has not begun this query. Ask again.", 503, RETRY_SECONDS
)
_CANCELLED = Failure(Cancelled.code, "This query was cancelled.", 409)


async def end_cancelled(journal: Journal) -> bool:
    """Ends a query that somebody cancelled. One that only this process leaves is not ended.

    False: it was cancelled, and not even that can be stored at the moment.
    """
    if journal.is_cancelled:
        return await fail(journal, _CANCELLED)
    if not journal.is_finished:
        await journal.until_begun(_BEGINNING_SECONDS)
        failure = _GOES_ON if journal.has_begun else _NOT_BEGUN
        _tell(journal, failure)
    return True


async def fail(journal: Journal, failure: Failure) -> bool:
    """Ends the query with its reason. False: not even that can be stored at the moment."""
    has_ended = journal.is_finished or await end(journal, failure)
    if has_ended:
        await journal.let_go()
    return has_ended


async def end(journal: Journal, failure: Failure) -> bool:
    """Stores that the query failed, and tells its readers. False: only the readers know yet."""
    try:
        await _finish(journal, failure)
    except MAY_PASS:
        _logger.warning("the end of a query cannot be stored: %s", failure.code)
        pause(journal, failure)
        return False
    except Exception:
        _logger.exception("the end of a query could not be stored")
        _tell(journal, failure)
    return True


async def _finish(journal: Journal, failure: Failure) -> None:
    try:
        await journal.finish(_line(failure), _PLATFORM, failure)
    except (errors.NotFound, errors.Conflict):  # its session was deleted, or it is another process'
        if await journal.runs_elsewhere():
            failure = _GOES_ON_ELSEWHERE
        _tell(journal, failure)
        await journal.settle()


def pause(journal: Journal, failure: Failure) -> None:
    """Tells the readers, and nobody else."""
    _tell(journal, failure, is_finished=False)


def _tell(journal: Journal, failure: Failure, *, is_finished: bool = True) -> None:
    journal.publish_end(_line(failure), _PLATFORM, failure, is_finished=is_finished)


def _line(failure: Failure) -> Line:
    return Line(LineKind.RESPONSE, failure.message)
