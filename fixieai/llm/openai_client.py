"""The `openai` package, and what it raises as our failures. Importing this module takes half a second.

Requests go through `client.post`, not through `chat.completions.create`: that one's typed
parameters walk every message (130 ms of CPU for 1,000 messages against 1.4 ms).
"""

import contextlib
import email.utils
import re
import time
import urllib.parse
from collections.abc import AsyncIterator, Mapping

import aiohttp
import httpx2
import openai

from fixieai.errors import ConfigurationError, ModelUnavailable
from fixieai.llm.answers import error_message
from fixieai.llm.failures import FieldRefused, TransientFailure

_WORTH_RETRYING = frozenset({408, 409, 425, 429})
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_REFUSED_FIELD = re.compile(r"[Uu]nsupported (?:parameter|value):? '(\w+)'")
_LONGEST_ERROR_BODY = 64 * 1024


class Client(openai.AsyncOpenAI):
    """An SDK client that sends nothing from the environment but what it is given.

    The SDK would add headers of OPENAI_CUSTOM_HEADERS, an organisation, OPENAI_ADMIN_KEY where
    there is no key, and what this machine is: to whatever server it talks to.
    """

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "User-Agent": "fixieai",
        }

    @contextlib.asynccontextmanager
    async def send(self, path: str, content: bytes, idempotency_key: str) -> AsyncIterator[httpx2.Response]:
        """The response to a JSON body, unread. The connection is kept if it is read to its end.

        Raises:
            TransientFailure, FieldRefused, ModelUnavailable, ConfigurationError: also while the
                response is read.
        """
        headers: dict[str, str | openai.Omit] = {
            "Idempotency-Key": idempotency_key,
            "x-stainless-retry-count": openai.Omit(),
        }
        if not self.api_key:
            headers["Authorization"] = openai.Omit()
        try:
            response = await self.post(
                path,
                cast_to=httpx2.Response,
                content=content,
                options={"headers": headers},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
        except openai.APIStatusError as error:
            raise _refusal(error, self.api_key) from None
        except openai.APIConnectionError as error:
            raise TransientFailure(f"could not be reached ({_cause(error)})") from None
        except aiohttp.ClientError as error:  # one that the SDK's transport does not know
            raise TransientFailure(f"does not answer in HTTP ({type(error).__name__})") from None
        assert isinstance(response, httpx2.Response)  # noqa: S101 - cast_to says so, the stub does not
        try:
            yield response
        except httpx2.RequestError as error:
            raise TransientFailure(f"broke the connection ({type(error).__name__})") from None
        finally:
            await response.aclose()


def open_client(base_url: str, key: str | None, connect_seconds: float) -> Client:
    """A client with connections of its own, kept alive between calls. Close it."""
    # Reading is bounded by whoever reads (resilient), not here. A redirect would take the
    # conversation to a server that nobody chose.
    timeout = httpx2.Timeout(None, connect=connect_seconds, pool=connect_seconds)
    return Client(
        api_key=key or "",
        admin_api_key="",
        organization="",
        project="",
        base_url=base_url,
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultAioHttpClient(
            timeout=timeout, follow_redirects=False, trust_env=not _is_local(base_url)
        ),
        _enforce_credentials=False,
    )


def _is_local(base_url: str) -> bool:
    """A server on this machine is not reached through a proxy, whatever the environment says."""
    return urllib.parse.urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1")


def _refusal(error: openai.APIStatusError, key: str) -> Exception:
    status = error.status_code
    body = error.body if len(error.response.content) <= _LONGEST_ERROR_BODY else None
    reason = error_message(body, key)
    said = f"answered {status}: {reason}"
    if status in (401, 403):
        return ConfigurationError("could not be asked, because its server refused the API key")
    if status == 404:
        return ConfigurationError(f"is not known to its server, which {said}")
    if status == 402 or _code(body) in _QUOTA_CODES:
        return ModelUnavailable(f"says that the account has no credit left ({said})")
    if status in _WORTH_RETRYING or status >= 500:
        return TransientFailure(said, retry_after=_retry_after(error.response.headers))
    field = _refused_field(body, reason) if status == 400 else None
    return FieldRefused(said, field) if field else ModelUnavailable(said)


def _error_part(body: object, name: str) -> object:
    """The SDK unwraps `{"error": {...}}`, servers differ, so both are looked at."""
    error = body.get("error", body) if isinstance(body, dict) else None
    return error.get(name) if isinstance(error, dict) else None


def _code(body: object) -> str:
    code = _error_part(body, "code")
    return code if isinstance(code, str) else ""


def _refused_field(body: object, reason: str) -> str | None:
    field = _error_part(body, "param")
    if isinstance(field, str):
        return field
    match = _REFUSED_FIELD.search(reason)
    return match[1] if match else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from a number or a date."""
    text = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _cause(error: BaseException) -> str:
    """What the network said, without addresses of proxies or the URL, which may hold credentials."""
    while error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "strerror", None) or type(error).__name__
