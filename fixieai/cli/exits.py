"""How a command ends: what is printed when it fails, and its exit code.

0    done
1    it failed; standard error says why
2    the command line is wrong, or `-a` names an agent that does not exist
11   not authenticated: no API key, or one that the platform does not accept
130  Ctrl-C
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable

import click

from fixieai import errors

FAILED = 1
NOT_AUTHENTICATED = 11
INTERRUPTED = 130
_DEBUG = "FIXIE_DEBUG"


def code_of(command: Callable[[], object]) -> int:
    """Runs the command; prints why it failed, if it did, and gives the exit code."""
    try:
        result = command()
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.Abort as abort:
        return (
            _interrupted()
            if isinstance(abort.__context__, KeyboardInterrupt)
            else _failed("Nothing was done.")
        )
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return _nowhere_to_write()
    except click.ClickException as failure:
        failure.show()
        return failure.exit_code
    except Exception as failure:  # noqa: BLE001 - the top: a traceback helps nobody at a terminal
        return _unforeseen(failure)
    return result if isinstance(result, int) else 0


def _interrupted() -> int:
    click.echo("Interrupted.", err=True)
    return INTERRUPTED


def _failed(message: str, code: int = FAILED) -> int:
    click.echo(f"Error: {message}", err=True)
    return code


def _nowhere_to_write() -> int:
    # What is still in the buffer has nowhere to go: without this the interpreter complains at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _unforeseen(failure: Exception) -> int:
    if os.environ.get(_DEBUG):
        traceback.print_exception(failure)
    if isinstance(failure, errors.Unauthenticated) or _is_missing_key(failure):
        return _failed(str(failure), NOT_AUTHENTICATED)
    if isinstance(failure, OSError) and failure.errno == errno.ENOSPC:
        _nowhere_to_write()
    if isinstance(failure, OSError) and failure.strerror:
        return _failed(f"{failure.filename}: {failure.strerror}" if failure.filename else failure.strerror)
    if isinstance(failure, errors.FixieError | OSError | ValueError):
        return _failed(str(failure))
    return _failed(f"{type(failure).__name__}: {failure} (set {_DEBUG}=1 to see where)")


def _is_missing_key(failure: Exception) -> bool:
    # One that the operating system raised has a number; ours says that there is no key.
    return isinstance(failure, PermissionError) and failure.errno is None
