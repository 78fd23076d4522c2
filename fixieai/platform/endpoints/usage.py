"""`/api/usage`, and the calls that are counted against a limit before they are answered."""

import functools
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fixieai.platform.auth import Caller, QueryCaller
from fixieai.platform.endpoints.access import AgentEndpoint
from fixieai.platform.services import platform_of
from fixieai.platform.usage import AgentUsage, UsageToday


async def show_usage(request: Request, caller: Caller) -> Response:
    """What the person used today, and may use."""
    usage = platform_of(request).usage
    today = await usage.today(caller.user_id)
    return JSONResponse(_usage_json(today), headers=usage.query_headers(today.queries))


def _usage_json(today: UsageToday) -> dict[str, Any]:
    limits = today.limits
    return {
        "resets": today.resets,
        "queries": {"used": today.queries, "limit": limits.queries},
        "storageCalls": {"used": today.storage_calls, "limit": limits.storage_calls},
        "tokens": {"used": today.tokens, "limit": limits.tokens, "limitPerAgent": limits.agent_tokens},
        "dollars": {"used": round(today.dollars, 6), "limit": limits.dollars},
        "agents": [_agent_json(agent) for agent in today.agents],
    }


def _agent_json(agent: AgentUsage) -> dict[str, Any]:
    return {
        "agentId": agent.agent_id,
        "promptTokens": agent.prompt_tokens,
        "completionTokens": agent.completion_tokens,
        "dollars": round(agent.dollars, 6),
    }


def counted(endpoint: AgentEndpoint) -> AgentEndpoint:
    """`endpoint`, whose every call counts as a storage call of the person."""

    @functools.wraps(endpoint)
    async def answer(request: Request, caller: QueryCaller) -> Response:
        await platform_of(request).usage.count_storage_call(caller.user.user_id)
        return await endpoint(request, caller)

    return answer
