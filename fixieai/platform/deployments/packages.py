"""Code packages: gzip tars that somebody uploaded.

They are read as a stream, and no further than the limits go: what is in them is regular files and
folders, with names that stay below the folder they are unpacked into. Anything else refuses the
whole package, with the name and the reason.
"""

import collections
import contextlib
import gzip
import os
import pathlib
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fixieai import errors

Environment: TypeAlias = Literal["PYTHON", "NODEJS"]

_PIECE_BYTES = 64 * 1024
_BLOCK_BYTES = 512
_LARGEST_HEADER = 16 * 1024
# For each name: its own block, those of a long name, and what fills up the last block of its content.
_HEADER_BYTES = 5 * _BLOCK_BYTES
_MAXIMUM_GLOBAL_HEADERS = 20
_MAXIMUM_COMPONENT_BYTES = 255
_MAXIMUM_DEPTH = 32
_SHOWN = 80
# What a package holds one of, for the platform to know how to run it.
_STARTS: dict[Environment, tuple[str, ...]] = {
    "PYTHON": ("agent/agent.yaml", "agent.yaml", "main.py"),
    "NODEJS": ("package/package.json", "package.json"),
}
_DAMAGED = "The package is cut off or damaged: send a whole tar, compressed with gzip."


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """What a package may be: bytes as uploaded, bytes when unpacked, files and folders."""

    packed_bytes: int = 64 * 1024 * 1024
    unpacked_bytes: int = 256 * 1024 * 1024
    names: int = 10_000


_LIMITS = PackageLimits()


@dataclass(frozen=True, slots=True)
class _Entry:
    """`content` is None for a folder. It is to be read before the next entry is asked for."""

    name: str
    content: Iterator[bytes] | None
    is_program: bool


def check(archive: pathlib.Path, environment: Environment, limits: PackageLimits = _LIMITS) -> None:
    """Reads all of a package and writes nothing. Takes a second for a large one: call it in a thread.

    Raises:
        UnprocessableContent: it is no gzip tar, holds something that it must not, or nothing to run.
        ContentTooLarge: it is, or unpacks to, more than `limits` say.
    """
    if archive.stat().st_size > limits.packed_bytes:
        raise errors.ContentTooLarge(f"A package has at most {limits.packed_bytes} bytes.")
    names = set()
    with _explained():
        for entry in _entries(archive, limits):
            collections.deque(entry.content or (), maxlen=0)
            names.add(entry.name)
    starts = _STARTS[environment]
    if not names.intersection(starts):
        raise errors.UnprocessableContent(
            f"The package holds nothing to run: a {environment} package has {' or '.join(starts)}."
        )


def unpack(archive: pathlib.Path, folder: pathlib.Path, limits: PackageLimits = _LIMITS) -> None:
    """Writes a package's files into `folder`, which it makes. They are the owner's alone.

    Raises:
        UnprocessableContent, ContentTooLarge: as `check`; the folder is then half full.
        OSError: the folder is there already, or a file cannot be written.
    """
    folder.mkdir(mode=0o700)
    with _explained():
        for entry in _entries(archive, limits):
            _write_entry(folder / entry.name, entry)


def _write_entry(path: pathlib.Path, entry: _Entry) -> None:
    if entry.content is None:
        return _make_folder(path)
    _make_folder(path.parent)
    try:
        _write(path, entry.content, 0o700 if entry.is_program else 0o600)
    except FileExistsError:
        raise errors.UnprocessableContent(
            f"The package holds {_shown(entry.name)} twice, as this machine tells names apart."
        ) from None


def _make_folder(path: pathlib.Path) -> None:
    """With those above it: `mkdir` itself gives those another mode."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(mode=0o700)


def _write(path: pathlib.Path, content: Iterator[bytes], mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        for piece in content:
            file.write(piece)


class _Bounded:
    """The bytes of a tar, read forwards, and those that are headers never many at once nor in all.

    `tarfile` reads a header at once, whatever size it claims to have, and keeps what global ones say
    with each name that follows.
    """

    def __init__(self, source: gzip.GzipFile, maximum: int) -> None:
        self._source = source
        self._left = maximum
        self._maximum = maximum
        self._headers_left = _LARGEST_HEADER
        self._position = 0
        self.last = b""

    def take(self, size: int) -> bytes:
        """Of what a file holds."""
        piece = self._source.read(min(size, _PIECE_BYTES))
        self._position += len(piece)
        self._left -= len(piece)
        if self._left < 0:
            raise errors.ContentTooLarge(f"The package unpacks to more than {self._maximum} bytes.")
        return piece

    def allow_header(self) -> None:
        """Another name may come."""
        self._headers_left += _HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Of headers: what `tarfile` asks for."""
        self._headers_left -= size
        if not 0 <= size <= _LARGEST_HEADER or self._headers_left < 0:
            raise errors.UnprocessableContent("The package holds names or headers that are too large.")
        self.last = self._source.read(size)
        self._position += len(self.last)
        return self.last

    def finish(self) -> None:
        """Reads on to the end, where the check sum is.

        Raises:
            UnprocessableContent: something is missing there, or behind it, or the sum is another.
        """
        try:
            while self.take(_PIECE_BYTES):
                pass
        except gzip.BadGzipFile as error:
            raise errors.UnprocessableContent(_DAMAGED) from error

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        while self._position < position and self.read(min(position - self._position, _BLOCK_BYTES)):
            pass


def _entries(archive: pathlib.Path, limits: PackageLimits) -> Iterator[_Entry]:
    with archive.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
        source = _Bounded(unpacked, limits.unpacked_bytes)
        seen = _Names(limits.names)
        # `tarfile` asks of a file object what _Bounded has, and no more.
        members = tarfile.TarFile(fileobj=source)  # type: ignore[arg-type]
        while (member := members.next()) is not None:
            # It would keep them all.
            members.members.clear()  # type: ignore[attr-defined]
            if len(members.pax_headers) > _MAXIMUM_GLOBAL_HEADERS:
                raise errors.UnprocessableContent("The package holds too many global headers.")
            name = _checked_name(member)
            seen.add(name, is_folder=member.isdir())
            source.allow_header()
            if name:
                content = None if member.isdir() else _content(source, member.size)
                yield _Entry(name, content, is_program=bool(member.mode & 0o100))
        if source.last.strip(b"\0") or not source.last:
            raise errors.UnprocessableContent(_DAMAGED)
        source.finish()


def _content(source: _Bounded, size: int) -> Iterator[bytes]:
    while size:
        piece = source.take(size)
        if not piece:
            raise EOFError
        size -= len(piece)
        yield piece


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What the standard library raises for bytes that are no gzip or no tar, as one error."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise errors.UnprocessableContent("The package is not compressed with gzip.") from error
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise errors.UnprocessableContent(_DAMAGED) from error


class _Names:
    """Names seen so far: none twice, none a file and a folder at once, and not too many."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._count = 0
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, name: str, *, is_folder: bool) -> None:
        self._count += 1
        if self._count > self._maximum:
            raise errors.ContentTooLarge(f"A package has at most {self._maximum} files and folders.")
        above = [str(parent) for parent in pathlib.PurePosixPath(name).parents]
        if (
            name in self._files
            or self._files.intersection(above)
            or (name in self._folders and not is_folder)
        ):
            raise errors.UnprocessableContent(f"The package holds {_shown(name)} twice.")
        self._folders.update(above)
        (self._folders if is_folder else self._files).add(name)


def _checked_name(member: tarfile.TarInfo) -> str:
    """The name below the package's folder, "" for that folder itself."""
    name = member.name
    if not (member.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) and member.sparse is None):
        what = "a link" if member.issym() or member.islnk() else "no regular file"
        raise errors.UnprocessableContent(
            f"The package holds {_shown(name)}, which is {what}: only regular files and folders are taken."
        )
    problem = _name_problem(name) or (member.size < 0 and "it has a negative size")
    if problem:
        raise errors.UnprocessableContent(f"The package holds {_shown(name)}: {problem}.")
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _name_problem(name: str) -> str | None:
    parts = name.split("/")
    if name.startswith("/"):
        return "names must not begin with a slash"
    if ".." in parts:
        return "`..` leads out of the package"
    if "\\" in name or not (name.isprintable() or _has_foreign_bytes(name)):
        return "names hold no backslashes and no control characters"
    if _has_foreign_bytes(name):
        return "its name is not UTF-8"
    if len(parts) > _MAXIMUM_DEPTH or max(len(part.encode()) for part in parts) > _MAXIMUM_COMPONENT_BYTES:
        return f"names have at most {_MAXIMUM_DEPTH} parts of {_MAXIMUM_COMPONENT_BYTES} bytes each"
    return None


def _has_foreign_bytes(name: str) -> bool:
    """`tarfile` keeps bytes that are not UTF-8 as halves of surrogate pairs."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _shown(name: str) -> str:
    return ascii(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")
