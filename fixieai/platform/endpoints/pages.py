"""The web page people chat on, and its files: the same for everybody, with nobody's data in them."""

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from fixieai import errors

_PAGE = "index.html"
_ACCOUNT_PAGE = "account.html"
_SCHEMA_BROWSER = "graphql.html"
_MEDIA_TYPES = {
    _PAGE: "text/html",
    _ACCOUNT_PAGE: "text/html",
    "account.css": "text/css",
    "account.js": "text/javascript",
    "api.js": "text/javascript",
    "conversation.js": "text/javascript",
    "files.js": "text/javascript",
    _SCHEMA_BROWSER: "text/html",
    "graphql.css": "text/css",
    "graphql.js": "text/javascript",
    "graphql_editor.js": "text/javascript",
    "graphql_schema.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "playground.css": "text/css",
    "playground.js": "text/javascript",
    "sign_in.js": "text/javascript",
}
# With trusted types a script that tried to turn text into HTML would fail, injected or by mistake.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    # Asked for again each time, and answered with 304 while nothing changed.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


@functools.cache
def _files() -> dict[str, _File]:
    folder = resources.files("fixieai.platform") / "playground"
    return {name: _load((folder / name).read_bytes(), kind) for name, kind in _MEDIA_TYPES.items()}


def _load(content: bytes, media_type: str) -> _File:
    return _File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


async def show_page(request: Request) -> Response:
    """At every address of the page: what to show there, its script finds out with a key."""
    return _respond(request, _PAGE)


async def show_schema_browser(request: Request) -> Response:
    return _respond(request, _SCHEMA_BROWSER)


async def show_account_page(request: Request) -> Response:
    """For signing in, for what a command line asks, for one's keys: the script sees which by the address."""
    return _respond(request, _ACCOUNT_PAGE)


async def show_file(request: Request) -> Response:
    return _respond(request, request.path_params["file"])


def _respond(request: Request, name: str) -> Response:
    file = _files().get(name)
    if file is None:
        raise errors.NotFound
    headers = _HEADERS | {"ETag": file.etag}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
