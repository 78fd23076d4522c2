"""`/api/agents`: the registry."""

from typing import Any

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai import errors
from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.programs import agent_id
from fixieai.platform.services import platform_of
from fixieai.storage.agents import UNCHANGED, Agent, AgentChanges


class Registration(TypedDict, total=False):
    """What is absent stays as it is. `url` null: the agent is not running."""

    url: str | None
    name: str | None
    description: str
    moreInfoUrl: str


_REGISTRATION = pydantic.TypeAdapter(Registration)


def agent_json(agent: Agent) -> dict[str, Any]:
    return {
        "agentId": agent_id(agent),
        "handle": agent.handle,
        "name": agent.name,
        "description": agent.description,
        "moreInfoUrl": agent.more_info_url,
        "queries": agent.queries,
        "published": agent.published,
        "owner": {"username": agent.owner},
        "type": agent.type,
        "url": agent.url,
        "status": agent.status,
        "created": agent.created,
        "modified": agent.modified,
    }


async def list_agents(request: Request, caller: Caller) -> Response:
    limit = inputs.page_size(request)
    after = request.query_params.get("after")
    found = await platform_of(request).registry.page(caller, after, limit)
    following = str(found[-1].id) if len(found) == limit else None
    return JSONResponse({"agents": [agent_json(agent) for agent in found], "next": following})


async def show_agent(request: Request, caller: Caller) -> Response:
    wanted = f"{request.path_params['owner']}/{request.path_params['handle']}"
    return JSONResponse(agent_json(await platform_of(request).registry.find(caller, wanted)))


def _own_handle(request: Request, caller: Caller) -> str:
    """Raises NotFound for somebody else's: what is not yours is not there."""
    if request.path_params["owner"] != caller.username:
        raise errors.NotFound
    handle: str = request.path_params["handle"]
    return handle


async def register_agent(request: Request, caller: Caller) -> Response:
    handle = _own_handle(request, caller)
    body = await inputs.read_body(request, _REGISTRATION)
    changes = AgentChanges(
        name=body.get("name"),
        description=body.get("description"),
        more_info_url=body.get("moreInfoUrl"),
        url=body.get("url", UNCHANGED),
    )
    return JSONResponse(agent_json(await platform_of(request).registry.register(caller, handle, changes)))


async def refresh_agent(request: Request, caller: Caller) -> Response:
    handle = _own_handle(request, caller)
    return JSONResponse(agent_json(await platform_of(request).registry.refresh(caller, handle)))


async def delete_agent(request: Request, caller: Caller) -> Response:
    await platform_of(request).registry.delete(caller, _own_handle(request, caller))
    return Response(status_code=204)
