"""`/api/user` and `/api/users`, and what anybody may know of the platform: its public keys."""

import datetime as dt
from typing import Annotated, Any, Required

import pydantic
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from fixieai.platform.accounts import Invitation
from fixieai.platform.auth import Caller
from fixieai.platform.endpoints import inputs
from fixieai.platform.services import platform_of
from fixieai.storage.users import Account, NewUser

_NOT_KEPT = {"Cache-Control": "no-store"}
_Text = Annotated[str, pydantic.Strict(), pydantic.Field(max_length=200)]


class NewUserBody(TypedDict, total=False):
    """Somebody who is added; only the name must be there."""

    username: Required[_Text]
    administrator: Annotated[bool, pydantic.Strict()]
    firstName: _Text | None
    lastName: _Text | None
    email: _Text | None


_NEW_USER = pydantic.TypeAdapter(NewUserBody)


def timestamp(seconds: int) -> str:
    """Unix seconds as ISO 8601."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def account_json(account: Account) -> dict[str, Any]:
    user = account.user
    return {
        "username": user.username,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "administrator": user.is_administrator,
        "hasPassword": account.has_password,
        "invitedUntil": timestamp(account.invited_until) if account.invited_until else None,
        "created": user.created,
    }


def _invitation_json(invitation: Invitation) -> dict[str, Any]:
    link = {"url": invitation.url, "expires": timestamp(invitation.expires)}
    return account_json(invitation.account) | {"invitation": link}


async def show_user(request: Request, caller: Caller) -> Response:
    platform = platform_of(request)
    account = await platform.accounts.find(caller, caller.username)
    model = await platform.models.choose(None)
    today = await platform.usage.today(caller.user_id)
    used = {"dailyQueryLimit": today.limits.queries, "dailyUsedQueries": today.queries}
    return JSONResponse(account_json(account) | {"defaultModel": model.name} | used)


async def list_users(request: Request, caller: Caller) -> Response:
    limit = inputs.page_size(request)
    after = request.query_params.get("after")
    found = await platform_of(request).accounts.page(caller, after, limit)
    following = str(found[-1].user.id) if len(found) == limit else None
    return JSONResponse({"users": [account_json(account) for account in found], "next": following})


async def add_user(request: Request, caller: Caller) -> Response:
    body = await inputs.read_body(request, _NEW_USER)
    new = NewUser(
        body["username"],
        body.get("administrator", False),
        body.get("firstName") or None,
        body.get("lastName") or None,
        body.get("email") or None,
    )
    added = await platform_of(request).accounts.add(caller, new)
    return JSONResponse(_invitation_json(added), 201, _NOT_KEPT)


async def invite_user(request: Request, caller: Caller) -> Response:
    invitation = await platform_of(request).accounts.invite(caller, request.path_params["username"])
    return JSONResponse(_invitation_json(invitation), 201, _NOT_KEPT)


async def remove_user(request: Request, caller: Caller) -> Response:
    await platform_of(request).accounts.remove(caller, request.path_params["username"])
    return Response(status_code=204)


async def jwks(request: Request) -> Response:
    return JSONResponse(platform_of(request).auth.jwks(), headers={"Cache-Control": "public, max-age=300"})
