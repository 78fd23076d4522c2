"""Runs what an author wrote so that it always ends as a value or an AgentException.

Whatever the code raises (SystemExit too) or however long it takes, the server goes on, and the
traceback goes to the log of the agent, the logger `fixieai.agents`.
"""

import asyncio
import logging
import os
import traceback
from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from fixieai import errors
from fixieai.agents import exceptions
from fixieai.agents.exceptions import AgentException
from fixieai.protocol.messages import AgentResponse

_T = TypeVar("_T")
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED)
_logger = logging.getLogger("fixieai.agents")


@dataclass(frozen=True, slots=True)
class CallSettings:
    """`seconds` is the time a func may take for its answer, and a stream for each of its items.

    With `is_debug` the platform, and so perhaps the user, gets to see tracebacks.
    """

    seconds: float = 60.0
    is_debug: bool = False

    @classmethod
    def from_environment(cls) -> "CallSettings":
        """FIXIE_FUNC_TIMEOUT (seconds) and FIXIE_AGENT_DEBUG ("1").

        Raises:
            ConfigurationError: the first is no number above 0.
        """
        text = os.environ.get("FIXIE_FUNC_TIMEOUT") or "60"
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not seconds > 0:
            raise errors.ConfigurationError(
                f"FIXIE_FUNC_TIMEOUT must be a number of seconds above 0, not {text!r}"
            )
        return cls(seconds, os.environ.get("FIXIE_AGENT_DEBUG") == "1")


async def attempt(what: str, answer: Awaitable[_T], settings: CallSettings) -> _T:
    """What the author's code answers. A sync function that takes too long goes on in its thread.

    Args:
        what: names the code in the log, as in "func roll".

    Raises:
        AgentException: the code raised it, raised anything else, or took too long.
    """
    try:
        async with asyncio.timeout(settings.seconds) as limit:
            return await answer
    except GeneratorExit:
        raise
    except AgentException as error:
        _logger.warning("%s: %s: %s", what, error.error_code, error, exc_info=error)
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # the request is over; anything else is a task of the author's own that was cancelled
        raise _unhandled(what, error) from error
    except BaseException as error:
        if isinstance(error, TimeoutError) and limit.expired():
            raise _too_slow(what, settings.seconds) from error
        raise _unhandled(what, error) from error


def _too_slow(what: str, seconds: float) -> AgentException:
    _logger.error("%s did not answer within %g seconds", what, seconds)
    return AgentException(
        "I'm sorry, this took too long and I had to give up.",
        "ERR_AGENT_TIMEOUT",
        f"The agent's code did not answer within {seconds:g} seconds.",
        HTTPStatus.GATEWAY_TIMEOUT,
    )


def _unhandled(what: str, error: BaseException) -> AgentException:
    _logger.error("%s failed", what, exc_info=error)
    return AgentException(
        exceptions.UNHANDLED_EXCEPTION_RESPONSE_TEXT,
        exceptions.UNHANDLED_EXCEPTION_CODE,
        "An unhandled exception occurred while processing the request.",
    )


def error_response(error: AgentException, settings: CallSettings) -> AgentResponse:
    """The answer to a failure; in debug mode with the traceback of what the author's code raised."""
    if not settings.is_debug:
        return error.response()
    return error.response(traceback.format_exception(error.__cause__ or error))


def status_of(error: AgentException) -> int:
    """The HTTP status that the author chose, 500 where an answer cannot have it."""
    status = error.http_status_code
    if isinstance(status, int) and 200 <= status <= 599 and status not in _WITHOUT_BODY:
        return int(status)
    return HTTPStatus.INTERNAL_SERVER_ERROR
