"""The floor of a query: makes the same HTTP calls to models and funcs, and stores nothing.

Arguments: the model's address, a func's address.
"""

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.servers.serving import serve

_MODEL_URL, _FUNC_URL = sys.argv[1:]
_TURNS = [
    {"role": "user", "content": "What is number 4711?"},
    {"role": "assistant", "content": "You rolled a 12!"},
]
_FUNC_BODY = {"message": {"text": "20 1", "embeds": {}}}


def _prompt(messages: int) -> dict[str, Any]:
    system = {"role": "system", "content": "I roll virtual dice."}
    turns = (_TURNS * (messages // 2 + 1))[:messages]
    return {"model": "scripted", "messages": [system, *turns], "stream": True, "temperature": 0.0}


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as session:
        app.state.session = session
        yield


async def _post(request: Request, url: str, body: dict[str, Any]) -> bytes:
    session: aiohttp.ClientSession = request.app.state.session
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=json.dumps(body).encode(), headers=headers) as response:
        return await response.read()


async def _call_model(request: Request, messages: int) -> bytes:
    return await _post(request, f"{_MODEL_URL}/v1/chat/completions", _prompt(messages))


async def query(request: Request) -> Response:
    """Model, func, model."""
    body = await request.json()
    await _call_model(request, 8)
    await _post(request, f"{_FUNC_URL}/func", _FUNC_BODY)
    await _call_model(request, 10)
    return JSONResponse({"message": body["message"]})


async def func(request: Request) -> Response:
    """What a query costs with a model that needs no call."""
    body = await request.json()
    await _post(request, f"{_FUNC_URL}/func", _FUNC_BODY)
    return JSONResponse({"message": body["message"]})


async def turn(request: Request) -> Response:
    """One model call with so many past messages."""
    body = await request.json()
    await _call_model(request, request.path_params["messages"])
    return JSONResponse({"message": body["message"]})


if __name__ == "__main__":
    routes = [
        Route("/query", query, methods=["POST"]),
        Route("/func", func, methods=["POST"]),
        Route("/turn/{messages:int}", turn, methods=["POST"]),
    ]
    serve(Starlette(routes=routes, lifespan=_lifespan))
