"""Loads the agent of a folder: its agent.yaml, its .env, the object its entry point names.

python -m fixieai.cli.agent.loader                    loads and validates the agent in this folder
python -m fixieai.cli.agent.loader - FILE             ... whose agent.yaml has another name
python -m fixieai.cli.agent.loader FD [FILE [HOST]]   ... and serves it on the socket of that number
uvicorn fixieai.cli.agent.loader:uvicorn_app_factory --factory
"""

import importlib
import os
import pathlib
import socket
import sys
import threading
import traceback
from types import TracebackType

from starlette.types import ASGIApp

from fixieai import errors
from fixieai.cli import lifeline
from fixieai.cli.agent import agent_config, env_file

ANY_HOST = "0.0.0.0"  # noqa: S104 - whoever runs uvicorn says where it listens
_SECONDS_TO_START = 1.0
_ON_THE_WAY = (
    str(pathlib.Path(__file__).parent),
    str(pathlib.Path(importlib.__file__).parent),
    "<frozen importlib",
)


def uvicorn_app_factory() -> ASGIApp:
    """The ASGI application of the agent in the current folder.

    With FIXIE_REFRESH_ON_STARTUP=true the platform is told, a second later, to shake hands with it again.
    """
    app = _app(agent_config.FILE_NAME, ANY_HOST)
    if os.environ.get("FIXIE_REFRESH_ON_STARTUP") == "true":
        handle = agent_config.load(pathlib.Path(agent_config.FILE_NAME)).handle
        timer = threading.Timer(_SECONDS_TO_START, _refresh, [handle])
        timer.daemon = True
        timer.start()
    return app


def _refresh(handle: str) -> None:
    from fixieai.client.client import FixieClient  # noqa: PLC0415 - `fixieai.constants` reads what .env set

    try:
        FixieClient().refresh_agent(handle)
    except (errors.FixieError, PermissionError) as error:
        print(f"The platform could not be told of {handle}: {error}", file=sys.stderr)


def _app(file_name: str, host: str) -> ASGIApp:
    """Variables in the folder's `.env` are set unless they are: what was set for this run wins."""
    folder = pathlib.Path.cwd()
    for name, value in env_file.read(folder).items():
        os.environ.setdefault(name, value)
    from fixieai.agents import openai_proxy, serving  # noqa: PLC0415 - `fixieai.constants` reads what .env set
    from fixieai.cli.agent import entry_point  # noqa: PLC0415 - as above

    openai_proxy.enable_openai_proxy()
    return serving.guarded_app(entry_point.load(agent_config.load(folder / file_name)), host)


def _serve(number: int, file_name: str, host: str | None) -> None:
    """`host` is the address whose callers it answers, where that is not the socket's: behind a tunnel."""
    from fixieai.web import server  # noqa: PLC0415 - not needed to validate

    listening = socket.socket(fileno=number)
    app = _loaded(file_name, host or listening.getsockname()[0])
    server.run_foreground(app, listening, on_started=lifeline.tell_ready)


def _loaded(file_name: str, host: str) -> ASGIApp:
    try:
        return _app(file_name, host)
    except (errors.ConfigurationError, FileNotFoundError) as error:
        sys.exit(f"Error: {error}")
    except Exception as error:  # noqa: BLE001 - the author's own code: the author needs the traceback
        traceback.print_exception(error.with_traceback(_from_authors_code(error.__traceback__)))
        sys.exit(1)


def _from_authors_code(trace: TracebackType | None) -> TracebackType | None:
    """Without the way there, through this program and Python's import."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_ON_THE_WAY):
        trace = trace.tb_next
    return trace


def main() -> None:
    """Loads and validates, and with the number of a listening socket serves on it until SIGTERM."""
    number, file_name, host, *_ = [*sys.argv[1:], *(None,) * 3]
    file_name = file_name or agent_config.FILE_NAME
    if number is None or number == "-":
        _loaded(file_name, ANY_HOST)
    else:
        _serve(int(number), file_name, host)


if __name__ == "__main__":
    main()
