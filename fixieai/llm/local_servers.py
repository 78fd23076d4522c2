"""Which models a server offers: what makes a local Ollama the default when there is no key."""

import asyncio
import json
import time

import aiohttp

_SECONDS_BELIEVED = 60.0
_MAXIMUM_BYTES = 1024 * 1024
_NOT_FOR_CHAT = ("embed", "bge-", "minilm", "rerank", "whisper", "tts")


class ModelList:
    """The list of one server, asked for at most once a minute."""

    def __init__(self, base_url: str, key: str | None, seconds_to_answer: float) -> None:
        self._url = f"{base_url}/models"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = aiohttp.ClientTimeout(total=seconds_to_answer)
        self._asking = asyncio.Lock()
        self._first: str | None = None
        self._believed_until = 0.0

    async def first_model(self) -> str | None:
        """The first model that can chat, or None when there is none or the server does not answer in time."""
        async with self._asking:
            if time.monotonic() >= self._believed_until:
                self._first = await self._ask()
                self._believed_until = time.monotonic() + _SECONDS_BELIEVED
            return self._first

    async def _ask(self) -> str | None:
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout, headers=self._headers) as session,
                session.get(self._url, allow_redirects=False) as response,
            ):
                return _first_name(await _read(response)) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _MAXIMUM_BYTES:
            return b""
    return content


def _first_name(content: bytes) -> str | None:
    try:
        listed = json.loads(content)["data"]
        names = [row["id"] for row in listed]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    chat = (
        name for name in names if isinstance(name, str) and not any(part in name for part in _NOT_FOR_CHAT)
    )
    return next(chat, None)
