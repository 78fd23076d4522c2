"""What an agent's code may raise, and the answer that each becomes."""

from collections.abc import Sequence
from typing import Any

from fixieai.protocol.messages import AgentError, AgentResponse, Message

UNHANDLED_EXCEPTION_RESPONSE_TEXT = "I'm sorry, something went wrong inside this agent and I cannot answer."
UNHANDLED_EXCEPTION_CODE = "ERR_AGENT_UNHANDLED_EXCEPTION"


class UnpinnedAgentWarning(UserWarning):
    """An agent accepts tokens that were made for any agent, because FIXIE_ALLOWED_AGENT_ID is not set."""


class AgentException(Exception):
    """Raise it in a func to choose what is answered.

    Args:
        response_message: what the model, or the person, is told.
        error_code: a constant for programs, as `ERR_NOT_LOGGED_IN`.
        error_message: what went wrong, for the owner of the agent.
        http_status_code: status of the HTTP answer.
        details: further facts for the owner; JSON values.
    """

    def __init__(
        self,
        response_message: str,
        error_code: str,
        error_message: str,
        http_status_code: int = 500,
        **details: Any,
    ) -> None:
        super().__init__(error_message)
        self.response_message = response_message
        self.error_code = error_code
        self.error_message = error_message
        self.http_status_code = http_status_code
        self.details = details

    def response(self, traceback: Sequence[str] | None = None) -> AgentResponse:
        """The answer; `traceback` (lines) is for an agent in debug mode only."""
        details = dict(self.details) if traceback is None else {"traceback": list(traceback), **self.details}
        return AgentResponse(
            Message(self.response_message), AgentError(self.error_code, self.error_message, details)
        )


def wrong_result(func_name: str, result: object, expected: str) -> AgentException:
    """The exception for a func that returned (or yielded) something that cannot be sent."""
    return AgentException(
        UNHANDLED_EXCEPTION_RESPONSE_TEXT,
        UNHANDLED_EXCEPTION_CODE,
        f"{func_name} returned {type(result).__name__}; expected {expected}",
    )
