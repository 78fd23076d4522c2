"""Floors: parses the same JSON and answers as much, without asking who calls, and without a database."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.servers.serving import serve

_TIME = "2026-01-31T12:00:00.000000+00:00"


async def call_func(request: Request) -> Response:
    body = await request.json()
    return JSONResponse({"message": {"text": body["message"]["text"], "embeds": {}}, "error": None})


async def list_sessions(request: Request) -> Response:
    """What GraphQL answers, from memory; to a GET too."""
    if request.method == "POST":
        await request.json()
    messages = [
        {"id": str(at), "type": "query", "text": "Roll a d20", "timestamp": _TIME}
        for at in range(request.path_params["messages"])
    ]
    sessions = [
        {"handle": "stormy-luxuriant-ferryboat", "name": "Roll a d20", "created": _TIME, "messages": messages}
        for _ in range(request.path_params["sessions"])
    ]
    return JSONResponse({"data": {"sessions": {"nodes": sessions}}})


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


if __name__ == "__main__":
    lists = Route("/sessions/{sessions:int}/{messages:int}", list_sessions, methods=["GET", "POST"])
    serve(Starlette(routes=[Route("/func", call_func, methods=["POST"]), lists, Route("/healthz", health)]))
