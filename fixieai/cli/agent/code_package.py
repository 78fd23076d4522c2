"""What is deployed of an agent's folder: a gzip tar, the same bytes for the same files.

main.py      serves the agent, wherever it is unpacked
.env         the agent's id and the platform's address
agent/...    the folder, without what is hidden (but `.env`) or made from the rest
"""

import gzip
import importlib.resources
import io
import pathlib
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from fixieai import errors
from fixieai.cli.agent import agent_config, source_watch
from fixieai.platform.deployments.packages import PackageLimits

LIMITS = PackageLimits()
_FOLDER = "agent"
_ENV_FILE = ".env"
_BOOTSTRAP = "deployed_main.py.template"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a package: its name there, and what it holds, or where that is."""

    name: str
    content: bytes | pathlib.Path
    size: int
    is_executable: bool = False


def entries(config_file: pathlib.Path, variables: Mapping[str, str]) -> list[Entry]:
    """The files of the package of the agent whose agent.yaml is `config_file`, in order.

    Args:
        variables: what the `.env` of the package says.

    Raises:
        ConfigurationError: what is there cannot be sent; the message names it.
    """
    folder = config_file.parent
    found = [_made("main.py", _bootstrap()), _made(_ENV_FILE, _lines(variables))]
    own = f"{_FOLDER}/{agent_config.FILE_NAME}"
    found += [entry for entry in _limited(_below(folder, _FOLDER)) if entry.name != own]
    found.append(_of_file(config_file, own))
    return sorted(found, key=lambda entry: entry.name)


def write(files: Iterable[Entry], target: IO[bytes]) -> None:
    """Writes the package.

    Raises:
        ConfigurationError: a file cannot be read, or became shorter meanwhile.
    """
    with (
        gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in files:
            _add(archive, entry)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    try:
        with _opened(entry) as content:
            archive.addfile(_header(entry), content)
    except OSError as error:
        raise errors.ConfigurationError(f"{entry.name} cannot be read: {error.strerror or error}") from error


def _header(entry: Entry) -> tarfile.TarInfo:
    """Nothing in it but name, size and mode: no owner, no time."""
    header = tarfile.TarInfo(entry.name)
    header.size = entry.size
    header.mode = 0o755 if entry.is_executable else 0o644
    return header


def _opened(entry: Entry) -> IO[bytes]:
    return io.BytesIO(entry.content) if isinstance(entry.content, bytes) else entry.content.open("rb")


def _made(name: str, text: str) -> Entry:
    content = text.encode()
    return Entry(name, content, len(content))


def _bootstrap() -> str:
    return importlib.resources.files("fixieai.cli").joinpath("templates", _BOOTSTRAP).read_text("utf-8")


def _lines(variables: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))


def _limited(found: Iterable[Entry]) -> Iterator[Entry]:
    size = 0
    for count, entry in enumerate(found, 1):
        size += entry.size
        if count > LIMITS.names:
            raise errors.ConfigurationError(
                f"There are more than {LIMITS.names} files to send: a package holds the agent alone. "
                "Hidden folders, as `.data`, are left out."
            )
        if size > LIMITS.unpacked_bytes:
            raise errors.ConfigurationError(
                f"There are more than {LIMITS.unpacked_bytes >> 20} MiB to send: {entry.name} was too much. "
                "Hidden folders, as `.data`, are left out."
            )
        yield entry


def _below(folder: pathlib.Path, place: str) -> Iterator[Entry]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise errors.ConfigurationError(f"{folder} cannot be read: {error.strerror}") from error
    for name in names:
        path = folder / name
        is_folder = path.is_dir() and not path.is_symlink()
        if name == _ENV_FILE and not is_folder:
            yield _of_file(path, f"{place}/{name}")
        elif name.startswith("."):
            continue
        elif not is_folder:
            yield _of_file(path, f"{place}/{name}")
        elif not source_watch.is_skipped(folder, name):
            yield from _below(path, f"{place}/{name}")


def _of_file(path: pathlib.Path, name: str) -> Entry:
    try:
        name.encode()
        status = path.lstat()
    except UnicodeEncodeError:
        raise errors.ConfigurationError(f"The name of {name!r} is not UTF-8: it cannot be sent.") from None
    except OSError as error:
        raise errors.ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a link" if stat.S_ISLNK(status.st_mode) else "neither a file nor a folder"
        raise errors.ConfigurationError(
            f"{path} is {kind}: a package holds plain files. Put a copy in its place, or move it to a "
            "hidden folder, which is left out."
        )
    return Entry(name, path, status.st_size, is_executable=bool(status.st_mode & stat.S_IXUSR))
