"""Programs for packages, and ways to wait for what becomes of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
import requests

from fixieai import errors

# A package's own server, which answers everything with "ok".
SERVER = """
import http.server, os, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass

{before}
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
AGENT = 'import fixieai\nagent = fixieai.CodeShotAgent("I greet.", "Q: Hi\\nA: Ho")\n'


def main(before: str = "") -> dict[str, str]:
    return {"main.py": SERVER.replace("{before}", before)}


async def get(url: str) -> requests.Response:
    return await asyncio.to_thread(requests.get, url, timeout=60)


async def becomes_true(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not become true"
        await asyncio.sleep(0.05)


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(errors.AgentUnavailable) as caught:
        await work
    return caught.value.message
