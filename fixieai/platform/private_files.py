"""Files that hold a secret: readable by their owner alone from their first byte."""

import os
import pathlib
import secrets
import stat

from fixieai import errors
from fixieai.storage import sqlite_errors


def write(path: pathlib.Path, content: str) -> None:
    """Writes a file that is 0600 from its creation and appears whole or not at all.

    Raises:
        StorageFull, ConfigurationError: it cannot be written; the message names the file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise sqlite_errors.explain(error, path) from error


def read(path: pathlib.Path) -> str | None:
    """The content, or None when there is no such file.

    Raises:
        ConfigurationError: it cannot be read, or others on this machine can read it.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise errors.ConfigurationError(
                f"{path} holds a secret and can be read by others on this machine. Run: chmod 600 {path}"
            )
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise errors.ConfigurationError(f"cannot read {path}: {error}") from error
