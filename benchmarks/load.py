"""Requests one after the other on several connections at once, by a client that costs little itself."""

import asyncio
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Load:
    """POSTs JSON to one place: `load(calls)` makes so many calls, `callers` at a time.

    `body` gives the body of each; without it the calls are GETs.
    """

    def __init__(
        self, url: str, body: Callable[[], object] | None, *, token: str | None = None, callers: int = 8
    ) -> None:
        self._url = urllib.parse.urlsplit(url)
        self._body = body
        self._authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        self._callers = callers

    def __call__(self, calls: int) -> None:
        """Raises RuntimeError when an answer is no success."""
        asyncio.run(self._run(calls))

    async def _run(self, calls: int) -> None:
        requests = iter([self._request() for _ in range(calls)])
        async with asyncio.TaskGroup() as group:
            for _ in range(self._callers):
                group.create_task(self._send(requests))

    def _request(self) -> bytes:
        target = f"{self._url.path}?{self._url.query}" if self._url.query else self._url.path
        head = f"{target} HTTP/1.1\r\nHost: {self._url.netloc}\r\n{self._authorization}"
        if self._body is None:
            return f"GET {head}\r\n".encode("ascii")
        body = json.dumps(self._body())
        return (
            f"POST {head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode("ascii")

    async def _send(self, requests: Iterator[bytes]) -> None:
        reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is None or not head.startswith(b"HTTP/1.1 2"):
                raise RuntimeError(f"{self._url.geturl()} answered {head!r}")
            await reader.readexactly(int(length[1]))
        writer.close()
