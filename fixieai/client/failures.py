"""What the platform's refusals and the network's failures are called, and what each tells the person.

The classes are those of `fixieai.errors`, so that `except errors.NotFound` means the same on
both sides of the wire, and one more for the case that there is nobody to ask.
"""

import json
from typing import Any

import requests

from fixieai import credentials, errors


class PlatformUnreachable(errors.ServiceUnavailable):
    """The platform did not answer."""

    code = "platform_unreachable"

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


_BY_STATUS: dict[int, type[errors.FixieError]] = {
    int(error.status): error
    for error in (
        errors.BadRequest,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.Conflict,
        errors.ContentTooLarge,
        errors.UnsupportedContent,
        errors.MisdirectedRequest,
        errors.UnprocessableContent,
        errors.TooManyRequests,
        errors.HeadersTooLarge,
        errors.UpstreamError,
        errors.ServiceUnavailable,
        errors.StorageFull,
    )
}
_BY_CODE: dict[str, type[errors.FixieError]] = {error.code: error for error in _BY_STATUS.values()} | {
    error.code: error
    for error in (
        errors.AgentUnavailable,
        errors.ModelUnavailable,
        errors.LimitReached,
        errors.DailyLimitReached,
    )
}
_PASSING_STATUSES = (429, 502, 503, 504)
_NOT_ACCEPTED = "{url} does not accept this API key ({reason}). "
_NEW_LOCAL_KEY = (
    "On this machine `fixie platform key` prints the right one; set FIXIE_API_KEY to it, or unset "
    "FIXIE_API_KEY to have it found by itself."
)
_NEW_KEY = "`fixie auth --force` signs in anew; a key in FIXIE_API_KEY comes before the one it gets."
_NOT_RUNNING = (
    "No platform is running at {url}: start one with `fixie platform serve`, or with agent.serve() "
    "in your agent's file."
)
_NOT_SECURE = (
    "There is no secure connection to {url}: check whether FIXIE_API_URL must begin with https:// or "
    "http://, and the server's certificate."
)


def may_pass(failure: errors.FixieError) -> bool:
    """Whether asking again shortly is likely to help."""
    if isinstance(failure, PlatformUnreachable):
        return failure.may_pass
    return failure.status in _PASSING_STATUSES


def of_transport(error: requests.RequestException, api_url: str) -> errors.FixieError:
    """Names a request that got no (whole) answer."""
    if isinstance(error, requests.exceptions.InvalidHeader):
        return errors.Unauthenticated(
            "The API key holds characters that no key has: set FIXIE_API_KEY again."
        )
    unconnected = _unconnected(error, api_url)
    if unconnected is not None:
        return unconnected
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return PlatformUnreachable(f"{api_url} took too long to answer.", may_pass=True)
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return PlatformUnreachable(
            f"The connection to {api_url} broke before the answer was complete.", may_pass=True
        )
    return errors.FixieError(f"The request to {api_url} could not be made: {error}")


def _unconnected(error: requests.RequestException, api_url: str) -> PlatformUnreachable | None:
    """None: the request was sent, or may have been."""
    if isinstance(error, requests.ConnectTimeout) or _is_refused(error):
        if credentials.is_local(api_url):
            return PlatformUnreachable(_NOT_RUNNING.format(url=api_url), may_pass=False)
        return PlatformUnreachable(
            f"{api_url} does not accept connections: check FIXIE_API_URL and the network.", may_pass=True
        )
    if isinstance(error, requests.exceptions.SSLError):
        return PlatformUnreachable(_NOT_SECURE.format(url=api_url), may_pass=False)
    if "Failed to resolve" in f"{_reason(error)}":
        return PlatformUnreachable(
            f"There is no server of the name in {api_url}: check FIXIE_API_URL and the network.",
            may_pass=True,
        )
    return None


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, requests.ConnectionError) and "refused" in f"{_reason(error)}"


def _reason(error: BaseException) -> object:
    # requests wraps urllib3's MaxRetryError, which wraps the refusal in `reason`, not in `__cause__`.
    return getattr(error.args[0] if error.args else None, "reason", None) or error


def of_response(response: requests.Response, body: bytes, api_url: str) -> errors.FixieError:
    """Names an answer that is not a success; the message is the platform's own where it sent one."""
    status = response.status_code
    said = _message(body) or f"HTTP {status}"
    # A 403 may also mean that a good key does not allow something: the code tells.
    if status == errors.Unauthenticated.status or _code(body) == errors.InvalidCredential.code:
        advice = _NEW_LOCAL_KEY if credentials.is_local(api_url) else _NEW_KEY
        return errors.Unauthenticated(_NOT_ACCEPTED.format(url=api_url, reason=said.rstrip(".")) + advice)
    kind = _BY_STATUS.get(status)
    if kind is not None:
        return kind(said, retry_after=_seconds(response.headers.get("Retry-After")))
    failure = errors.FixieError(f"{api_url} answered {status}: {said}")
    failure.status = status
    return failure


def of_graphql(found: Any) -> errors.FixieError:
    """Names the errors of a GraphQL answer, by the first one."""
    first = found[0] if isinstance(found, list) and isinstance(found[0], dict) else {}
    said = str(first.get("message") or "The platform refused this GraphQL operation.")
    about = first.get("extensions")
    code = about.get("code") if isinstance(about, dict) else None
    return _BY_CODE.get(str(code), errors.BadRequest)(said)


def _code(body: bytes) -> object:
    try:
        return json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _message(body: bytes) -> str | None:
    """The text of `{"error": {...}}`, of GraphQL's `{"errors": [...]}`, or of an agent's failed answer."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    error: Any = (
        content.get("error") or next(iter(content.get("errors") or []), None) or content.get("detail")
    )
    if not isinstance(error, dict):
        return error if isinstance(error, str) else None
    message = str(error.get("message") or error.get("code") or "") or None
    reference = error.get("reference")
    return f"{message} (reference {reference})" if message and reference else message


def _seconds(retry_after: str | None) -> float | None:
    try:
        return float(retry_after) if retry_after else None
    except ValueError:  # an HTTP date: the ordinary pause will do
        return None
