"""A request body of several parts that is read as it is sent: a package is never whole in memory."""

import io
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

Progress = Callable[[int, int], None]
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; with a `file_name` it is a file."""

    name: str
    content: bytes | IO[bytes]
    file_name: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file that is all of a request's body: bytes, or a file to be read from where it stands to its end."""

    content: bytes | IO[bytes]
    content_type: str


class MultipartBody:
    """`multipart/form-data`, for `requests` to read piece by piece; its length is known before.

    `progress` is told after each piece how many bytes were sent, and of how many.
    """

    def __init__(self, parts: Iterable[Part], progress: Progress | None = None) -> None:
        """Files are read from where they stand to their end; they must be seekable."""
        self._boundary = secrets.token_hex(16)
        self._pieces = [piece for part in parts for piece in self._pieces_of(part)]
        self._pieces.append(io.BytesIO(f"--{self._boundary}--\r\n".encode()))
        self._length = sum(map(_rest, self._pieces))
        self._progress = progress
        self._sent = 0
        self._at = 0

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self._boundary}"

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        while found := self.read(_PIECE_BYTES):
            yield found

    def read(self, size: int = -1) -> bytes:
        """The next bytes, up to `size` of them; empty at the end."""
        while self._at < len(self._pieces):
            found = self._pieces[self._at].read(size)
            if found:
                self._tell(len(found))
                return found
            self._at += 1
        return b""

    def _tell(self, count: int) -> None:
        self._sent += count
        if self._progress:
            self._progress(self._sent, self._length)

    def _pieces_of(self, part: Part) -> Sequence[IO[bytes]]:
        head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="{part.name}"'
        head += f'; filename="{part.file_name}"' if part.file_name else ""
        head += f"\r\nContent-Type: {part.content_type}" if part.content_type else ""
        content = io.BytesIO(part.content) if isinstance(part.content, bytes) else part.content
        return io.BytesIO(f"{head}\r\n\r\n".encode()), content, io.BytesIO(b"\r\n")


def _rest(file: IO[bytes]) -> int:
    here = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(here)
    return end - here
