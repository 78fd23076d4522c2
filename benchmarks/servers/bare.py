"""The floor of a func call: parses the same JSON and answers the same, without asking who calls."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.servers.serving import serve


async def call_func(request: Request) -> Response:
    body = await request.json()
    return JSONResponse({"message": {"text": body["message"]["text"], "embeds": {}}, "error": None})


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/func", call_func, methods=["POST"]), Route("/healthz", health)]))
