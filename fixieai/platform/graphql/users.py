"""The person who asks, and who owns agents."""

from typing import Any

from ariadne import ObjectType, QueryType

from fixieai.platform.graphql.types import Info, Node
from fixieai.storage.agents import Agent
from fixieai.storage.organizations import Organization

query = QueryType()
user_type = ObjectType("UserType")

BINDABLES = [query, user_type]


def user_node(username: str, *, is_caller: bool) -> Node:
    return {"__typename": "UserType", "username": username, "_is_caller": is_caller}


def owner_node(agent: Agent, info: Info) -> Node:
    """A user or an organisation."""
    if agent.owner_kind == "organization":
        return {"__typename": "OrganizationType", "handle": agent.owner, "name": agent.owner_name}
    return user_node(agent.owner, is_caller=agent.owner == info.context.caller.username)


def organization_node(organization: Organization) -> Node:
    return {"__typename": "OrganizationType", "handle": organization.handle, "name": organization.name}


@query.field("user")
def user(_: Any, info: Info) -> Node:
    return user_node(info.context.caller.username, is_caller=True)


@user_type.field("firstName")
async def first_name(person: Node, info: Info) -> str | None:
    return await _of_account(person, info, "first_name")


@user_type.field("lastName")
async def last_name(person: Node, info: Info) -> str | None:
    return await _of_account(person, info, "last_name")


@user_type.field("email")
async def email(person: Node, info: Info) -> str | None:
    return await _of_account(person, info, "email")


async def _of_account(person: Node, info: Info, name: str) -> str | None:
    """What others are not told."""
    if not person["_is_caller"]:
        return None
    account = await info.context.account.load(person["username"])
    found: str | None = getattr(account.user, name) if account else None
    return found


@user_type.field("dailyQueryLimit")
async def daily_query_limit(person: Node, info: Info) -> int | None:
    if not person["_is_caller"]:
        return None
    return info.context.platform.settings.daily_limits.queries or None


@user_type.field("dailyUsedQueries")
async def daily_used_queries(person: Node, info: Info) -> int | None:
    if not person["_is_caller"]:
        return None
    today = await info.context.usage.load(info.context.caller.user_id)
    return today.queries if today else None


@user_type.field("organizations")
async def organizations(person: Node, info: Info) -> list[Node]:
    if not person["_is_caller"]:
        return []
    found = await info.context.organizations.load(info.context.caller.user_id)
    return [organization_node(organization) for organization in found or ()]


@user_type.field("organization")
async def organization(person: Node, info: Info) -> Node | None:
    nodes = await organizations(person, info)
    return nodes[0] if nodes else None
