"""`/api/gc`: removing what is old and what has ended, and what that would be. For administrators."""

from typing import Annotated, Any

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.retention import Collection
from fixieai.platform.services import platform_of


class CollectionBody(TypedDict, total=False):
    """With `dryRun` nothing is removed, only counted."""

    dryRun: Annotated[bool, pydantic.Strict()]


_COLLECTION = pydantic.TypeAdapter(CollectionBody)


async def begin_collection(request: Request, caller: Caller) -> Response:
    """Begins; `GET` says how far it is."""
    caller.must_administrate()
    body = await inputs.read_body(request, _COLLECTION)
    collection = platform_of(request).retention.begin(is_dry_run=body.get("dryRun", False))
    return JSONResponse(_collection_json(collection), 202)


async def show_collection(request: Request, caller: Caller) -> Response:
    """The newest one, or an empty one when there was none since the platform started."""
    caller.must_administrate()
    newest = platform_of(request).retention.newest
    return JSONResponse(_collection_json(newest or Collection(is_dry_run=False, is_running=False)))


def _collection_json(collection: Collection) -> dict[str, Any]:
    return {
        "dryRun": collection.is_dry_run,
        "running": collection.is_running,
        "problem": collection.problem,
        "items": [
            {"what": what, "count": amount.count, "bytes": amount.bytes}
            for what, amount in collection.amounts.items()
        ],
    }
