"""Runs a module as `python -m` does, and ends it when the process that started it is gone.

    python -m fixieai.cli.child LIFELINE MODULE ARGUMENTS...

LIFELINE is the number of a socket whose other end the parent holds: when the parent ends, even by
SIGKILL, reading from it says so.
"""

import runpy
import sys

from fixieai.cli import lifeline


def main() -> None:
    """Takes the lifeline and the module from `sys.argv`."""
    lifeline.hold(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
