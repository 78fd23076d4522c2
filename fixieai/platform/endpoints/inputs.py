"""Request bodies and paging parameters as known shapes."""

from typing import TypeVar

import pydantic
from starlette.requests import Request

from fixieai import errors
from fixieai.web.json_body import read_json

_T = TypeVar("_T")
_DEFAULT_PAGE = 100
_LARGEST_PAGE = 1_000


async def read_body(request: Request, adapter: pydantic.TypeAdapter[_T]) -> _T:
    """The JSON body as what `adapter` describes.

    Raises:
        UnprocessableContent: it is not; the message says where and why.
    """
    content = await read_json(request)
    try:
        return adapter.validate_python(content)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise errors.UnprocessableContent(f"{where}: {first['msg']}") from error


def page_size(request: Request) -> int:
    """`?limit=`, 100 unless told, 1,000 at most.

    Raises:
        UnprocessableContent: it is not a whole number above 0.
    """
    text = request.query_params.get("limit")
    if text is None:
        return _DEFAULT_PAGE
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise errors.UnprocessableContent("limit: must be a whole number above 0")
    return min(int(text), _LARGEST_PAGE)


def after_position(request: Request) -> int:
    """`?after=` of a list that is numbered; 0, before the first, unless told."""
    return _position(request, "after")


def before_position(request: Request) -> int:
    """`?before=` of a list that is read backwards; 0, behind the last, unless told."""
    return _position(request, "before")


def _position(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise errors.UnprocessableContent(f"{name}: must be a position, as `next` of the page before gave it")
    return int(text)
