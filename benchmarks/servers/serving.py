"""Starlette on uvicorn with nothing around it."""

import socket

import uvicorn
from starlette.types import ASGIApp


def serve(app: ASGIApp) -> None:
    """On a free port, which is printed; connections wait until the server accepts them."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as sock:
        # asyncio does this only for sockets that say that they are TCP; answers would wait 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app, http="httptools", loop="asyncio", log_level="error", access_log=False, timeout_keep_alive=600
        )
        uvicorn.Server(config).run([sock])
