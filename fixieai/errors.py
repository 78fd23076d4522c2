"""What can go wrong, as a tree. Each error knows its HTTP status and its public code.

    FixieError                      500  internal_error
    ├── BadRequest                  400  bad_request
    │   └── UnprocessableContent    422  wrong_shape
    ├── Unauthenticated             401  not_authenticated
    ├── Forbidden                   403  forbidden
    │   ├── InvalidCredential       403  invalid_credential
    │   └── SignInAgain             403  sign_in_again
    ├── NotFound                    404  not_found
    ├── Conflict                    409  conflict
    ├── ContentTooLarge             413  too_large
    ├── UnsupportedContent          415  unsupported_content
    ├── MisdirectedRequest          421  foreign_host
    ├── TooManyRequests             429  too_many_requests
    │   └── DailyLimitReached       429  daily_limit_reached
    ├── HeadersTooLarge             431  headers_too_large
    ├── UpstreamError               502  upstream_error
    │   ├── AgentUnavailable        502  agent_unavailable
    │   └── ModelUnavailable        502  model_unavailable
    ├── ServiceUnavailable          503  unavailable
    ├── LimitReached                200  limit_reached   (a query that ended at a limit is answered)
    ├── StorageFull                 507  storage_full
    └── ConfigurationError          500  configuration

The docstring of an error is its default message. Messages are written for the person who
made the call: they never hold secrets, paths of other people's data or tracebacks.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType


class FixieError(Exception):
    """Something went wrong on the platform's side."""

    # A file that the message names, which is for whoever runs the platform.
    place: str | None = None
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    code: str = "internal_error"
    retry_after: float | None = None
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        if retry_after is not None:
            self.retry_after = retry_after
        super().__init__(self.message)


class BadRequest(FixieError):
    """The request could not be read."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class UnprocessableContent(BadRequest):
    """The request was read, but it does not have the expected shape."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "wrong_shape"


class Unauthenticated(FixieError):
    """Send an API key as `Authorization: Bearer <key>`."""

    status = HTTPStatus.UNAUTHORIZED
    code = "not_authenticated"


class Forbidden(FixieError):
    """This credential does not allow that."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class InvalidCredential(Forbidden):
    """This credential is not valid, has expired, or was revoked."""

    code = "invalid_credential"


class SignInAgain(Forbidden):
    """Sign in again first: this gives out a key that lasts, and you signed in a while ago."""

    code = "sign_in_again"


class NotFound(FixieError):
    """Nothing here, or nothing that is yours."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class Conflict(FixieError):
    """This does not fit the present state."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class ContentTooLarge(FixieError):
    """The request body is too large."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class UnsupportedContent(FixieError):
    """Send `Content-Type: application/json`, not compressed."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_content"


class MisdirectedRequest(FixieError):
    """This server does not answer for that host name."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    code = "foreign_host"


class TooManyRequests(FixieError):
    """Too many requests; wait and try again."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_requests"
    retry_after = 1.0


class DailyLimitReached(TooManyRequests):
    """A limit of this day is reached."""

    code = "daily_limit_reached"


class HeadersTooLarge(FixieError):
    """The request has too many or too large headers."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "headers_too_large"


class UpstreamError(FixieError):
    """A server that this answer depends on failed."""

    status = HTTPStatus.BAD_GATEWAY
    code = "upstream_error"


class AgentUnavailable(UpstreamError):
    """The agent could not be reached or did not answer properly."""

    code = "agent_unavailable"


class ModelUnavailable(UpstreamError):
    """The language model could not be reached or did not answer properly."""

    code = "model_unavailable"


class ServiceUnavailable(FixieError):
    """Not available right now; try again shortly."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    retry_after: float | None = 1.0


class LimitReached(FixieError):
    """A limit ended this query before it had an answer."""

    status = HTTPStatus.OK
    code = "limit_reached"


class StorageFull(FixieError):
    """There is no room left to store this."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "storage_full"


class ConfigurationError(FixieError):
    """The configuration cannot work."""

    code = "configuration"
