"""`/api/agents`: the registry."""

from typing import Annotated, Any

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.services import platform_of
from fixieai.storage.agents import Agent, AgentChanges

Seconds = Annotated[int, pydantic.Strict(), pydantic.Field(ge=1, le=3600)]


class Registration(TypedDict, total=False):
    """What is absent stays as it is. `url`: a program serves the agent there; null: no longer."""

    url: str | None
    leaseSeconds: Seconds | None
    name: str | None
    description: str | None
    moreInfoUrl: str | None


class Update(TypedDict, total=False):
    """What is absent or null stays as it is."""

    newHandle: str | None
    name: str | None
    description: str | None
    moreInfoUrl: str | None
    published: Annotated[bool, pydantic.Strict()] | None


class Lease(TypedDict):
    """The address as it was registered."""

    url: str
    leaseSeconds: Seconds


_REGISTRATION = pydantic.TypeAdapter(Registration)
_UPDATE = pydantic.TypeAdapter(Update)
_LEASE = pydantic.TypeAdapter(Lease)


def agent_json(agent: Agent) -> dict[str, Any]:
    """Where somebody else's agent runs is not told."""
    of_user = agent.owner_kind == "user"
    current = agent.current_revision_id
    return {
        "agentId": agent.agent_id,
        "handle": agent.handle,
        "name": agent.name,
        "description": agent.description,
        "moreInfoUrl": agent.more_info_url,
        "queries": agent.queries,
        "published": agent.published,
        "owner": {"username": agent.owner} if of_user else {"handle": agent.owner, "name": agent.owner_name},
        "type": agent.type,
        "url": agent.url if agent.is_editable else None,
        "queryUrl": agent.query_url if agent.is_editable else None,
        "funcUrl": agent.func_url if agent.is_editable else None,
        "environment": agent.environment,
        "currentRevisionId": str(current) if current is not None and agent.is_editable else None,
        "status": agent.status,
        "refreshStatus": agent.refresh_status,
        "created": agent.created,
        "modified": agent.modified,
    }


def agent_id(request: Request) -> str:
    """`owner/handle` of the path."""
    return f"{request.path_params['owner']}/{request.path_params['handle']}"


async def list_agents(request: Request, caller: Caller) -> Response:
    limit = inputs.page_size(request)
    after = request.query_params.get("after")
    found = await platform_of(request).registry.page(caller, after, limit)
    following = str(found[-1].id) if len(found) == limit else None
    return JSONResponse({"agents": [agent_json(agent) for agent in found], "next": following})


async def show_agent(request: Request, caller: Caller) -> Response:
    return JSONResponse(agent_json(await platform_of(request).registry.find(caller, agent_id(request))))


async def register_agent(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _REGISTRATION)
    changes = AgentChanges(
        name=body.get("name"), description=body.get("description"), more_info_url=body.get("moreInfoUrl")
    )
    platform, wanted = platform_of(request), agent_id(request)
    if "url" not in body:
        agent = await platform.registry.register(caller, wanted, changes)
    elif body["url"] is None:
        agent = await platform.revisions.release(caller, wanted, changes)
    else:
        seconds = body.get("leaseSeconds")
        agent = await platform.revisions.serve(caller, wanted, body["url"], seconds, changes)
    return JSONResponse(agent_json(agent))


async def update_agent(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _UPDATE)
    changes = AgentChanges(
        name=body.get("name"),
        description=body.get("description"),
        more_info_url=body.get("moreInfoUrl"),
        published=body.get("published"),
        new_handle=body.get("newHandle"),
    )
    agent = await platform_of(request).registry.update(caller, agent_id(request), changes)
    return JSONResponse(agent_json(agent))


async def renew_lease(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _LEASE)
    revisions = platform_of(request).revisions
    agent = await revisions.renew(caller, agent_id(request), body["url"], body["leaseSeconds"])
    return JSONResponse(agent_json(agent))


async def refresh_agent(request: Request, caller: Caller) -> Response:
    agent = await platform_of(request).registry.refresh(caller, agent_id(request))
    return JSONResponse(agent_json(agent))


async def delete_agent(request: Request, caller: Caller) -> Response:
    await platform_of(request).registry.delete(caller, agent_id(request))
    return Response(status_code=204)
