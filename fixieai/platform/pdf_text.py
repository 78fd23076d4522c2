"""The text of a PDF, as a program: `python pdf_text.py < file.pdf > file.txt`.

A PDF can be made to loop or to fill memory, so it is read in a process of its own, whose limits
are set here before anything is read. Status 3: it is no PDF that can be read; 4: it is encrypted.
"""

import contextlib
import io
import logging
import resource
import sys
from typing import Any

_LIMITS = {
    resource.RLIMIT_AS: 1024 * 1024 * 1024,
    resource.RLIMIT_CPU: 15,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_NOFILE: 32,
}
_PAGES = 300
_CHARACTERS = 400_000
UNREADABLE = 3
ENCRYPTED = 4


def main() -> int:
    """Writes page after page, up to 300 pages and 400,000 characters; what was written by then counts."""
    for limit, most in _LIMITS.items():
        with contextlib.suppress(ValueError, OSError):  # macOS does not know them all
            resource.setrlimit(limit, (most, most))
    logging.disable()
    import pypdf  # noqa: PLC0415 - after the limits

    try:
        document = pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if document.is_encrypted and not document.decrypt(""):
            return ENCRYPTED
        _write(document)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it cannot be read
        return UNREADABLE
    return 0


def _write(document: Any) -> None:
    written = 0
    for number, page in enumerate(document.pages, 1):
        if number > _PAGES or written > _CHARACTERS:
            sys.stdout.write(f"(Cut here, before page {number} of {len(document.pages)}.)\n")
            return
        text = page.extract_text()
        written += len(text)
        sys.stdout.write(f"{text}\n\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    sys.exit(main())
