"""`/api/agents/{owner}/{handle}/revisions`: what ran, runs, or may run as an agent."""

from typing import Annotated, Any, NotRequired

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.endpoints.agents import agent_id, agent_json
from fixieai.platform.revisions import NewRevision
from fixieai.platform.services import platform_of
from fixieai.storage.revisions import Revision


class RevisionBody(TypedDict):
    """An agent that answers at `url`. Packages of code are uploaded over GraphQL."""

    url: str
    makeCurrent: NotRequired[Annotated[bool, pydantic.Strict()]]
    metadata: NotRequired[dict[str, str]]


_REVISION = pydantic.TypeAdapter(RevisionBody)


def revision_json(revision: Revision) -> dict[str, Any]:
    return {
        "id": str(revision.id),
        "created": revision.created,
        "isCurrent": revision.is_current,
        "isServed": revision.is_served,
        "status": revision.status,
        "problem": revision.problem,
        "url": revision.url,
        "environment": revision.environment,
        "type": revision.type,
        "queries": revision.queries,
        "metadata": dict(revision.labels),
    }


def _revision_id(request: Request) -> str:
    revision_id: str = request.path_params["id"]
    return revision_id


async def list_revisions(request: Request, caller: Caller) -> Response:
    limit = inputs.page_size(request)
    after = request.query_params.get("after")
    found = await platform_of(request).revisions.page(caller, agent_id(request), after, limit)
    following = str(found[-1].id) if len(found) == limit else None
    return JSONResponse({"revisions": [revision_json(each) for each in found], "next": following})


async def create_revision(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _REVISION)
    new = NewRevision(url=body["url"], labels=list(body.get("metadata", {}).items()))
    made = await platform_of(request).revisions.create(
        caller, agent_id(request), new, make_current=body.get("makeCurrent", True)
    )
    return JSONResponse(revision_json(made), status_code=201)


async def make_current(request: Request, caller: Caller) -> Response:
    revisions = platform_of(request).revisions
    agent = await revisions.set_current(caller, agent_id(request), _revision_id(request))
    return JSONResponse(agent_json(agent))


async def delete_revision(request: Request, caller: Caller) -> Response:
    await platform_of(request).revisions.delete(caller, agent_id(request), _revision_id(request))
    return Response(status_code=204)


async def show_logs(request: Request, caller: Caller) -> Response:
    limit = inputs.page_size(request)
    revisions = platform_of(request).revisions
    lines = await revisions.logs(caller, agent_id(request), _revision_id(request), limit)
    return JSONResponse({"lines": lines})
