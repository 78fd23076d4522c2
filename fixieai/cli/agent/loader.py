"""Loads the agent of a folder: its agent.yaml, its .env, the object its entry point names.

python -m fixieai.cli.agent.loader             loads and validates the agent in this folder
python -m fixieai.cli.agent.loader FD          ... and serves it on the socket of that number
uvicorn fixieai.cli.agent.loader:uvicorn_app_factory --factory
"""

import os
import pathlib
import socket
import sys
import traceback

from starlette.types import ASGIApp

from fixieai import errors
from fixieai.cli import lifeline
from fixieai.cli.agent import agent_config, env_file
from fixieai.web import server


def uvicorn_app_factory(file_name: str = agent_config.FILE_NAME) -> ASGIApp:
    """The ASGI application of the agent in the current folder, of which `file_name` is the agent.yaml.

    Variables in its `.env` are set unless they are set already: what was set for this run wins.
    """
    folder = pathlib.Path.cwd()
    for name, value in env_file.read(folder).items():
        os.environ.setdefault(name, value)
    from fixieai.cli.agent import entry_point  # noqa: PLC0415 - `fixieai.constants` reads what .env set

    return entry_point.load(agent_config.load(folder / file_name)).app()


def main() -> None:
    """Loads and validates, and with the number of a listening socket serves on it until SIGTERM."""
    try:
        app = uvicorn_app_factory(*sys.argv[2:3])
    except (errors.ConfigurationError, FileNotFoundError) as error:
        sys.exit(f"Error: {error}")
    except Exception:  # noqa: BLE001 - the author's own code: the author needs the traceback
        traceback.print_exc()
        sys.exit(1)
    if len(sys.argv) > 1:
        listening = socket.socket(fileno=int(sys.argv[1]))
        server.run_foreground(app, listening, on_started=lifeline.tell_ready)


if __name__ == "__main__":
    main()
