"""The person who asks."""

from typing import Any

from ariadne import ObjectType, QueryType

from fixieai.platform.graphql.types import Info, Node
from fixieai.storage.agents import Agent

query = QueryType()
user_type = ObjectType("UserType")

BINDABLES = [query, user_type]


def user_node(username: str, *, is_caller: bool) -> Node:
    return {"__typename": "UserType", "username": username, "_is_caller": is_caller}


@query.field("user")
def user(_: Any, info: Info) -> Node:
    return user_node(info.context.caller.username, is_caller=True)


def owner_node(agent: Agent, info: Info) -> Node:
    """A user or an organisation."""
    if agent.owner_kind == "organization":
        return {"__typename": "OrganizationType", "handle": agent.owner, "name": agent.owner_name}
    return user_node(agent.owner, is_caller=agent.owner == info.context.caller.username)
