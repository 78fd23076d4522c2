"""Requests of others to OpenAI's API, sent on with the platform's own key."""

import contextlib
import io
import urllib.parse
from collections.abc import AsyncIterator, Iterator

import aiohttp

from fixieai import errors
from fixieai.llm.settings import ModelSettings
from fixieai.web.egress import KEEP_ALIVE_SECONDS

_OWNER = "openai"
_CONNECTIONS = 200
_PASSED_ON = ("content-type", "retry-after", "x-request-id", "x-should-retry")
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Reply:
    """A response whose body is not read yet. `headers` are those that a client may see."""

    def __init__(self, response: aiohttp.ClientResponse, key: str) -> None:
        self._response = response
        self._key = key.encode("ascii")
        self.status = response.status
        self.headers = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
        self.is_stream = response.content_type == "text/event-stream"

    async def pieces(self, maximum_bytes: int) -> AsyncIterator[bytes]:
        """The body as it arrives.

        Raises:
            UpstreamError: it broke off, was too slow, or is larger than `maximum_bytes`.
        """
        size = 0
        with _explained():
            async for piece in self._response.content.iter_any():
                size += len(piece)
                if size > maximum_bytes:
                    raise errors.UpstreamError(f"OpenAI's answer is larger than {maximum_bytes:,} bytes.")
                yield piece

    async def read(self, maximum_bytes: int) -> bytes:
        """The whole body, without the platform's key should it be in there. Raises as `pieces`."""
        return self.without_key(b"".join([piece async for piece in self.pieces(maximum_bytes)]))

    def without_key(self, text: bytes) -> bytes:
        return text.replace(self._key, b"***") if self._key else text


class Passthrough:
    """The connections to OpenAI, or to the server in OPENAI_BASE_URL. One event loop uses it."""

    def __init__(self, settings: ModelSettings) -> None:
        self._base_url = settings.base_url(_OWNER)
        self._key = settings.keys.get(_OWNER, "")
        self._limits = settings.limits
        self._session: aiohttp.ClientSession | None = None

    @property
    def has_key(self) -> bool:
        return bool(self._key)

    @contextlib.asynccontextmanager
    async def send(self, method: str, path: str, body: bytes | None) -> AsyncIterator[Reply]:
        """`path` is what follows the base URL, percent-encoded; `body` is JSON.

        Raises:
            UpstreamError: there was no answer.
        """
        headers = {"Authorization": f"Bearer {self._key}", "User-Agent": "fixieai"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._base_url}/{path}"
        data = None if body is None else io.BytesIO(body)  # sent in pieces, however large it is
        with _explained():
            response = await self._opened().request(
                method, url, data=data, headers=headers, allow_redirects=False
            )
        try:
            if 300 <= response.status < 400:
                raise errors.UpstreamError("OpenAI's server answered with a redirect, which is not followed.")
            yield Reply(response, self._key)
        finally:
            response.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=self._limits.total_seconds,
                sock_connect=self._limits.connect_seconds,
                sock_read=self._limits.first_token_seconds,
            )
            # As for the platform's own calls: no proxy on the way to a server on this machine.
            is_local = urllib.parse.urlsplit(self._base_url).hostname in _LOCAL
            self._session = aiohttp.ClientSession(
                timeout=timeout,
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS),
                trust_env=not is_local,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except TimeoutError:  # also aiohttp's
        raise errors.UpstreamError("OpenAI did not answer in time.") from None
    except (aiohttp.ClientError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise errors.UpstreamError(f"OpenAI could not be reached ({reason}).") from None
