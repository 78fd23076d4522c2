"""Requests that an agent makes itself: of its platform (keys, user storage) and of OAuth providers.

One connection pool for all of them. Each has time limits and a size limit, follows no redirect
(a redirected POST becomes a GET and loses what it carried), keeps no cookies (the pool serves
many users) and adds no credentials of its own (.netrc would replace the token).
"""

import http.cookiejar
import json
import time
from dataclasses import dataclass
from typing import Any

import requests
import requests.auth

from fixieai.protocol import embed_connections

_CONNECT_AND_READ_SECONDS = (5, 10)
_TOTAL_SECONDS = 30
_POOL_SIZE = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever the status."""

    status: int
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The content as JSON. Raises ValueError when it is none."""
        try:
            return json.loads(self.content)
        except RecursionError as error:
            raise ValueError("the answer is nested too deeply") from error


@dataclass(frozen=True, slots=True)
class Call:
    """A request to send.

    `url` has everything quoted that needs it and is sent as it is. At most one of `json_body`
    and `form` is given; `bearer` is the token to send.
    """

    method: str
    url: str
    bearer: str | None = None
    json_body: Any = None
    form: dict[str, str] | None = None
    maximum_bytes: int = 1024 * 1024


class _Bearer(requests.auth.AuthBase):
    """Sets the token, or nothing: with an `auth` given, requests does not look into .netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _new_session() -> requests.Session:
    session = requests.Session()
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=_POOL_SIZE))
    return session


_session = _new_session()


def send(call: Call) -> Answer:
    """Sends a request and reads the whole answer. Blocks for up to 30 seconds.

    Raises:
        requests.RequestException: the server could not be reached, broke off or took too long,
            or the URL is none.
        ValueError: the answer is larger than `call.maximum_bytes`.
    """
    deadline = time.monotonic() + _TOTAL_SECONDS
    request = requests.Request(
        call.method,
        call.url,
        headers={"Accept": "application/json"},
        json=call.json_body,
        data=call.form,
        auth=_Bearer(call.bearer),
    )
    prepared = _session.prepare_request(request)
    if prepared.url is not None and _has_dot_segment(call.url):
        # requests unquotes %2E and then resolves the dots: the request would go to another place.
        prepared.url = call.url
    settings = _session.merge_environment_settings(prepared.url, {}, True, None, None)
    response = _session.send(prepared, timeout=_CONNECT_AND_READ_SECONDS, allow_redirects=False, **settings)
    with response:
        content = embed_connections.read_at_most(response, call.maximum_bytes, deadline)
    return Answer(response.status_code, content)


def _has_dot_segment(url: str) -> bool:
    return any(part in ("%2E", "%2E%2E") for part in url.split("/"))
