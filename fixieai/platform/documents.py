"""What a model can be shown of a file: its text, or the picture that it is.

What kind of file it is, its first bytes say before its content type does: the type is whatever
somebody wrote down. PDFs are read in a process of their own (`pdf_text`).
"""

import asyncio
import base64
import codecs
import contextlib
import os
import pathlib
import re
import signal
import sys
from dataclasses import dataclass

from fixieai.platform import pdf_text

_PDF_PROGRAM = pathlib.Path(pdf_text.__file__)
_PDF_SECONDS = 20.0
_PDFS_AT_ONCE = 2
_PICTURE_BYTES = 10 * 1024 * 1024
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_TEXT_TYPES = ("json", "xml", "yaml", "csv", "toml", "javascript", "markdown", "html", "sql", "x-sh")
_UTF_8 = ("utf-8", "utf8")
# Python knows more, some of which take hours for a large file.
_CHARSET = re.compile(
    r"utf-?(?:8|16|32)(?:-?[lb]e)?|(?:iso-?)?8859-\d{1,2}|latin-?\d{1,2}|(?:windows-|cp)125\d|(?:us-)?ascii"
    r"|shift[-_]jis|euc-(?:jp|kr)|gb(?:k|2312|18030)|big5|koi8-[ru]"
)
_UNPRINTABLE = frozenset(range(32)) - frozenset(b"\t\n\r\f\b\x1b")


class Unreadable(Exception):
    """Why a file cannot be shown, as the end of a sentence: "it is encrypted"."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a `data:` URI."""

    uri: str


class Documents:
    """Reads files, and not many PDFs at once. Files come from anybody."""

    def __init__(self) -> None:
        self._pdf_places = asyncio.Semaphore(_PDFS_AT_ONCE)

    async def read(self, content_type: str, content: bytes) -> str | Picture:
        """Its text or picture.

        Raises:
            Unreadable: it is of another kind, broken, or too large.
        """
        kind = _kind(content_type, content)
        if kind == "application/pdf":
            async with self._pdf_places:
                return await _read_pdf(content)
        if kind.startswith("image/") and kind != "image/svg+xml":
            return await asyncio.to_thread(_picture, kind, content)
        if _is_text(kind, content):
            return await asyncio.to_thread(_decode, content_type, content)
        raise Unreadable(f"it is {kind or 'of an unknown type'}; text, CSV, PDF and pictures can be read")


def _kind(content_type: str, content: bytes) -> str:
    for beginning, kind in _MAGIC:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return content_type.partition(";")[0].strip().lower()[:100]


def _picture(kind: str, content: bytes) -> Picture:
    if kind not in ("image/png", "image/jpeg", "image/gif", "image/webp") or _kind("", content) != kind:
        raise Unreadable(f"it says that it is {kind}, and PNG, JPEG, GIF and WebP can be read")
    if len(content) > _PICTURE_BYTES:
        raise Unreadable("the picture is larger than 10 MiB")
    return Picture(f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}")


def _is_text(kind: str, content: bytes) -> bool:
    """By its type, or because it looks like text: nobody need know the type of what they attach."""
    main, _, sub = kind.partition("/")
    if main == "text" or sub.endswith(("+json", "+xml")) or sub.removeprefix("x-") in _TEXT_TYPES:
        return True
    if main in ("audio", "video", "font", "image"):
        return sub == "svg+xml"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content[:4096])
    except UnicodeDecodeError:
        return False
    return not _UNPRINTABLE.intersection(content[:4096])


def _decode(content_type: str, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    charset = content_type.lower().partition("charset=")[2].partition(";")[0].strip('" ')
    known = charset if _CHARSET.fullmatch(charset) and charset not in _UTF_8 else "utf-8-sig"
    try:
        return content.decode(known, "replace")
    except LookupError:
        return content.decode("utf-8-sig", "replace")


async def _read_pdf(content: bytes) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_PDF_PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath},  # the platform's secrets are none of its business
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_PDF_SECONDS):
            text, _ = await process.communicate(content)
    except TimeoutError:
        raise Unreadable(f"reading the PDF took longer than {_PDF_SECONDS:g} seconds") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()  # until it has ended: what it wrote keeps its pipes open
    return _pdf_result(process.returncode or 0, text.decode("utf-8", "replace").strip())


def _pdf_result(status: int, text: str) -> str:
    if status == pdf_text.ENCRYPTED:
        raise Unreadable("the PDF is encrypted")
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        raise Unreadable("the PDF takes too long to read")
    if not text:
        raise Unreadable("the PDF is damaged" if status else "the PDF holds no text, only pictures of it")
    return f"{text}\n(What follows is damaged.)" if status else text
