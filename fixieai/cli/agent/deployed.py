"""Serves the agent of an unpacked package, on the listening socket of the given number.

    python -m fixieai.cli.agent.deployed NUMBER

Run in the folder that holds agent.yaml. Variables in the `.env` of the package, one folder up, are
set unless they are; then those in the folder's own.
"""

import os
import pathlib
import sys

from fixieai import errors
from fixieai.cli.agent import env_file, loader


def main() -> None:
    """Serves until SIGTERM."""
    try:
        variables = env_file.read(pathlib.Path(".."))
    except errors.ConfigurationError as error:
        sys.exit(f"Error: {error}")
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    loader.main()


if __name__ == "__main__":
    main()
