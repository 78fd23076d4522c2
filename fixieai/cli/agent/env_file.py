"""`.env` files: `NAME=value` lines. Plain text: nothing in them is expanded or run."""

import pathlib
import re

from fixieai import errors

_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)", re.ASCII)
_QUOTED = re.compile(r"""(?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*(?:\#.*)?""")
_COMMENT = re.compile(r"(?:^|\s+)#.*")
_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\"": '"', r"\\": "\\"}


def read(folder: pathlib.Path) -> dict[str, str]:
    """The variables in the folder's `.env`; none when there is no such file.

    Raises:
        ConfigurationError: it cannot be read, or a line is no assignment. The value is not repeated.
    """
    path = folder / ".env"
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise errors.ConfigurationError(f"{path} cannot be read: {error}") from error
    variables = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise errors.ConfigurationError(f"{path}, line {number}: expected NAME=value")
        variables[match["name"]] = _value(match["value"])
    return variables


def _value(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return _COMMENT.sub("", text).strip()
    if quoted["single"] is not None:
        return quoted["single"]
    return re.sub(r"\\[nt\"\\]", lambda escape: _ESCAPES[escape[0]], quoted["double"])
