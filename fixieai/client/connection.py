"""One authenticated HTTP connection to the platform: time-outs, size limits, retries of what is safe."""

import json
import random
import re
import time
import urllib.parse
from collections.abc import Callable, Generator, Iterator
from typing import Any

import requests

from fixieai import constants, credentials, errors
from fixieai.client import failures
from fixieai.client.graphql import GraphQLClient
from fixieai.client.uploads import FileBody, MultipartBody

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# An answer may need a model and several agents: this is the longest silence, not the longest answer.
ANSWER_SECONDS = 300.0
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 16 * 1024 * 1024
_RETRY_PAUSES = (0.1, 0.4, 1.2)
_LONGEST_PAUSE = 5.0
_CHUNK_BYTES = 64 * 1024
_CONNECTIONS = 32
# What a command line holds in place of bytes that are no text.
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Bearer(requests.auth.AuthBase):
    """As `auth`, and not as a header, so that no ~/.netrc entry takes its place."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


def _check_url(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_http = False
    if not is_http:
        raise errors.ConfigurationError(
            f"FIXIE_API_URL must be a URL that begins with http:// or https://, not {url[:200]!r}."
        )


def quoted(*segments: str) -> str:
    """The segments as one URL path, each quoted so that none reaches another's place.

    Raises:
        ValueError: a segment is empty, `.` or `..`, or is no text, which no handle is.
    """
    for segment in segments:
        if segment in ("", ".", "..") or _SURROGATE.search(segment):
            raise ValueError(f"{segment!r} is not a handle")
    return "/".join(urllib.parse.quote(segment, safe="") for segment in segments)


class PlatformConnection:
    """Requests to the platform at one URL with one API key. GETs are repeated when a failure may pass."""

    def __init__(self, api_key: str | None = None, *, api_url: str | None = None) -> None:
        """Uses `FIXIE_API_URL` and the key found for it, unless told otherwise.

        Raises:
            PermissionError: there is no API key.
            ConfigurationError: the URL cannot be one.
        """
        self._url = (api_url or constants.FIXIE_API_URL).rstrip("/")
        _check_url(self._url)
        key = (api_key or constants.fixie_api_key(self._url)).strip()
        self._key = key
        self._http = requests.Session()
        self._http.auth = _Bearer(key)
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS))
        # A proxy named by the environment has no business between this machine and itself.
        self._http.trust_env = not credentials.is_local(self._url)
        self._username: str | None = None
        self._gqlclient = GraphQLClient(self)

    @property
    def gqlclient(self) -> GraphQLClient:
        """Runs GraphQL operations at this platform, with this key."""
        return self._gqlclient

    @property
    def url(self) -> str:
        """The platform's address, without a slash at the end."""
        return self._url

    def get_current_user(self) -> dict[str, Any]:
        """`username`, `firstName`, `lastName`, `email`, `defaultModel` of the API key's user."""
        try:
            return _mapping(self.get(f"{self._url}/api/user"))
        except errors.NotFound as error:
            raise errors.ConfigurationError(
                f"What answers at {self._url} is no Fixie platform: check FIXIE_API_URL."
            ) from error

    def get_current_username(self) -> str:
        """The username, asked for once."""
        if self._username is None:
            self._username = str(self.get_current_user()["username"])
        return self._username

    def get(self, url: str, **params: str | int) -> Any:
        """The JSON at `url`, after up to three more attempts when a failure may pass.

        Raises:
            FixieError: the platform refused or could not be reached; the class says which.
            ValueError: `url` is not below the platform's address.
        """
        if params:
            url = f"{url}?{urllib.parse.urlencode(params)}"
        return _repeated(lambda: self._exchange("GET", url, None, READ_SECONDS))

    def get_all(self, url: str, key: str, after: str | int | None = None) -> Iterator[dict[str, Any]]:
        """Every item of a listing behind `after`, page by page: `key` names the items in each page."""
        while True:
            place = {} if after is None else {"after": after}
            page = _mapping(self.get(url, limit=100, **place))
            yield from page[key]
            cursor = page.get("next")
            if cursor is None or cursor == after:
                return
            after = cursor

    def post_repeatable(self, url: str, data: Any) -> Any:
        """As `get`, with a POST that changes nothing, or the same when it is sent twice."""
        return _repeated(lambda: self._exchange("POST", url, data, READ_SECONDS))

    def post(self, url: str, data: Any = None) -> Any:
        """Posts JSON and gives the JSON of the answer (None for an empty one). Never repeated.

        Args:
            data: what becomes JSON, or a `MultipartBody` or `FileBody` to send as it is.

        Raises:
            FixieError: the platform refused or could not be reached; the class says which.
            ValueError: `url` is not below the platform's address.
        """
        return self._exchange("POST", url, data, ANSWER_SECONDS)

    def page_with_code(self, page_url: str) -> str:
        """A page of this platform with a code that signs a browser in, once, within 15 minutes."""
        code = self.post(f"{self.url}/api/browser-codes")["code"]
        return f"{page_url}#code={code}"

    def put(self, url: str, data: Any = None) -> Any:
        """As `post`, with PUT."""
        return self._exchange("PUT", url, data, ANSWER_SECONDS)

    def delete(self, url: str) -> None:
        """Deletes what `url` names. Raises as `post` does."""
        self._exchange("DELETE", url, None, READ_SECONDS)

    def streaming_post(self, url: str, data: Any = None) -> Generator[Any, None, None]:
        """Posts JSON and yields each line of the answer as JSON when it arrives; blank lines are skipped.

        Raises:
            FixieError: the platform refused, could not be reached, or the stream broke off.
            ValueError: `url` is not below the platform's address (raised before anything is sent).
        """
        self._check(url)
        return self._lines(url, data)

    def _lines(self, url: str, data: Any) -> Generator[Any, None, None]:
        with self._open("POST", url, data, ANSWER_SECONDS) as response:
            for line in _split(self._chunks(response)):
                if line.strip():
                    yield _parsed(line, self._url)

    def _check(self, url: str) -> None:
        # `startswith(self._url)` alone would let http://127.0.0.1:8180.example.org through, with the key.
        if url != self._url and not url.startswith((f"{self._url}/", f"{self._url}?")):
            raise ValueError(f"{url} is not below {self._url}: the API key is for that platform alone")

    def close(self) -> None:
        """Closes the connections; the next request opens a new one."""
        self._http.close()

    def _open(self, method: str, url: str, data: Any, read_seconds: float) -> requests.Response:
        self._check(url)
        timeout = (CONNECT_SECONDS, read_seconds)
        try:
            response = self._http.request(
                method, url, **_content(data), timeout=timeout, stream=True, allow_redirects=False
            )
        except requests.RequestException as error:
            raise failures.of_transport(error, self._url) from error
        if response.status_code // 100 == 2:
            return response
        with response:
            raise failures.of_response(response, self._read(response), self._url)

    def _exchange(self, method: str, url: str, data: Any, read_seconds: float) -> Any:
        with self._open(method, url, data, read_seconds) as response:
            body = self._read(response)
        return _parsed(body, self._url) if body.strip() else None

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in self._chunks(response):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise errors.UpstreamError(f"{self._url} sent more than {MAX_BODY_BYTES >> 20} MiB.")
        return bytes(body)

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(_CHUNK_BYTES)
        except requests.RequestException as error:
            raise failures.of_transport(error, self._url) from error


def _content(data: Any) -> dict[str, Any]:
    if isinstance(data, MultipartBody):
        return {"data": data, "headers": {"Content-Type": data.content_type}}
    if isinstance(data, FileBody):
        return {"data": data.content, "headers": {"Content-Type": data.content_type}}
    return {"json": data}


def _repeated(attempt: Callable[[], Any]) -> Any:
    for pause in _RETRY_PAUSES:
        try:
            return attempt()
        except errors.FixieError as failure:
            wanted = max(pause, failure.retry_after or 0.0)
            if not failures.may_pass(failure) or wanted > _LONGEST_PAUSE:
                raise
            time.sleep(wanted * random.uniform(0.8, 1.2))  # noqa: S311 - spreads retries, guards nothing
    return attempt()


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines in a stream of bytes; the last one need not end in a newline."""
    pending = b""
    for chunk in chunks:
        *lines, rest = chunk.split(b"\n")
        if lines:
            yield pending + lines[0]
            yield from lines[1:]
            pending = rest
        else:
            pending += rest
        if len(pending) > MAX_LINE_BYTES:
            raise errors.UpstreamError(f"The platform sent a line of more than {MAX_LINE_BYTES >> 20} MiB.")
    if pending:
        yield pending


def _parsed(body: bytes, url: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise errors.UpstreamError(
            f"{url} answered with something that is not JSON: is it a platform?"
        ) from error


def _mapping(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise errors.UpstreamError(
            "The platform answered with another shape than expected: is it of this version?"
        )
    return content
