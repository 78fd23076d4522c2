"""Agents and their revisions."""

from typing import Any

from ariadne import MutationType, ObjectType, QueryType, UnionType

from fixieai import errors
from fixieai.platform.graphql.context import LONGEST_LIST
from fixieai.platform.graphql.pages import check_first, connection
from fixieai.platform.graphql.types import Info, Node
from fixieai.platform.graphql.users import owner_node
from fixieai.storage.agents import Agent, AgentChanges

query = QueryType()
mutation = MutationType()
agent_type = ObjectType("AgentType")
owner_union = UnionType("AgentOwner")

BINDABLES = [query, mutation, agent_type, owner_union]


@owner_union.type_resolver
def owner_type(node: Node, *_: Any) -> str:
    name: str = node["__typename"]
    return name


def agent_node(agent: Agent, info: Info) -> Node:
    """Where somebody else's agent runs is not told."""
    return {
        "_agent": agent,
        "agentId": agent.agent_id,
        "handle": agent.handle,
        "name": agent.name,
        "description": agent.description,
        "queries": agent.queries,
        "moreInfoUrl": agent.more_info_url,
        "published": agent.published,
        "owner": owner_node(agent, info),
        "queryUrl": agent.query_url if agent.is_editable else None,
        "funcUrl": agent.func_url if agent.is_editable else None,
        "avatar": None,
        "created": agent.created,
        "modified": agent.modified,
        "refreshStatus": agent.refresh_status,
        "hasManagedDeployment": agent.environment is not None,
        "type": agent.type,
        "status": agent.status,
    }


@query.field("allAgents")
async def all_agents(_: Any, info: Info) -> list[Node]:
    context = info.context
    found = await context.platform.registry.page(context.caller, None, LONGEST_LIST)
    context.count(len(found))
    return [agent_node(agent, info) for agent in found]


@query.field("agents")
async def agents(_: Any, info: Info, first: int, after: str | None = None) -> Node:
    context = info.context
    found = await context.platform.registry.page(context.caller, after, check_first(first) + 1)
    context.count(len(found))
    return connection(found, first, lambda agent: agent.id, lambda agent: agent_node(agent, info))


@query.field("agentById")
async def agent_by_id(_: Any, info: Info, agentId: str) -> Node | None:  # noqa: N803 - the schema's name
    return await _found(info, agentId)


@query.field("agentByHandle")
async def agent_by_handle(_: Any, info: Info, handle: str) -> Node | None:
    return await _found(info, handle)


async def _found(info: Info, agent_id: str) -> Node | None:
    try:
        return agent_node(await info.context.platform.registry.find(info.context.caller, agent_id), info)
    except errors.NotFound:
        return None


@mutation.field("createAgent")
async def create_agent(_: Any, info: Info, agentData: Node) -> Node:  # noqa: N803 - the schema's name
    context = info.context
    created = await context.platform.registry.create(
        context.caller, agentData["handle"], _changes(agentData), agentData.get("owner")
    )
    return {"agent": agent_node(created, info)}


@mutation.field("updateAgent")
async def update_agent(_: Any, info: Info, agentData: Node) -> Node:  # noqa: N803 - the schema's name
    """The revision first: when it cannot become current, nothing is changed."""
    context, agent_id = info.context, agentData["handle"]
    if agentData.get("currentRevisionId") is not None:
        revision_id = agentData["currentRevisionId"]
        await context.platform.revisions.set_current(context.caller, agent_id, revision_id)
    agent = await context.platform.registry.update(context.caller, agent_id, _changes(agentData))
    return {"agent": agent_node(agent, info)}


@mutation.field("deleteAgent")
async def delete_agent(_: Any, info: Info, agentData: Node) -> Node:  # noqa: N803 - the schema's name
    context, owner, handle = info.context, agentData.get("owner"), agentData["handle"]
    agent_id = f"{owner}/{handle}" if owner else handle
    agent = await context.platform.registry.find_editable(context.caller, agent_id)
    await context.platform.registry.delete(context.caller, agent.agent_id)
    return {"agent": agent_node(agent, info)}


def _changes(given: Node) -> AgentChanges:
    return AgentChanges(
        name=given.get("name"),
        description=given.get("description"),
        more_info_url=given.get("moreInfoUrl"),
        published=given.get("published"),
        query_url=given.get("queryUrl"),
        func_url=given.get("funcUrl"),
        new_handle=given.get("newHandle"),
    )
