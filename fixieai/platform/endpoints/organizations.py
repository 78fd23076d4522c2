"""`/api/organizations`: owners of agents that are not one person."""

from typing import Any, NotRequired

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.services import platform_of
from fixieai.storage.organizations import Member, Organization, Role


class OrganizationBody(TypedDict):
    """A new organisation."""

    handle: str
    name: NotRequired[str | None]


class MemberBody(TypedDict, total=False):
    """What a member may do."""

    role: Role


_ORGANIZATION = pydantic.TypeAdapter(OrganizationBody)
_MEMBER = pydantic.TypeAdapter(MemberBody)


def _organization_json(organization: Organization) -> dict[str, Any]:
    return {
        "handle": organization.handle,
        "name": organization.name,
        "role": organization.role,
        "created": organization.created,
    }


def _member_json(member: Member) -> dict[str, Any]:
    return {"username": member.username, "role": member.role, "created": member.created}


def _handle(request: Request) -> str:
    handle: str = request.path_params["handle"]
    return handle


async def list_organizations(request: Request, caller: Caller) -> Response:
    limit = inputs.page_size(request)
    found = await platform_of(request).organizations.page(caller, request.query_params.get("after"), limit)
    following = str(found[-1].id) if len(found) == limit else None
    return JSONResponse({"organizations": [_organization_json(each) for each in found], "next": following})


async def create_organization(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _ORGANIZATION)
    made = await platform_of(request).organizations.create(caller, body["handle"], body.get("name"))
    return JSONResponse(_organization_json(made), status_code=201)


async def show_organization(request: Request, caller: Caller) -> Response:
    """With a page of its members."""
    limit = inputs.page_size(request)
    organizations = platform_of(request).organizations
    organization = await organizations.find(caller, _handle(request))
    found = await organizations.members(caller, _handle(request), request.query_params.get("after"), limit)
    members = [_member_json(each) for each in found]
    following = str(found[-1].user_id) if len(found) == limit else None
    return JSONResponse({**_organization_json(organization), "members": members, "next": following})


async def delete_organization(request: Request, caller: Caller) -> Response:
    await platform_of(request).organizations.delete(caller, _handle(request))
    return Response(status_code=204)


async def put_member(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _MEMBER)
    username, role = request.path_params["username"], body.get("role", "member")
    await platform_of(request).organizations.put_member(caller, _handle(request), username, role)
    return JSONResponse({"username": username, "role": role})


async def remove_member(request: Request, caller: Caller) -> Response:
    username = request.path_params["username"]
    await platform_of(request).organizations.remove_member(caller, _handle(request), username)
    return Response(status_code=204)
