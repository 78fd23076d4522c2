"""Who may call a route. Every route of the URL map is made by one of these three."""

from collections.abc import Awaitable, Callable

import pydantic
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fixieai import errors
from fixieai.platform.auth import Caller, QueryCaller
from fixieai.platform.services import platform_of
from fixieai.web import problems

PublicEndpoint = Callable[[Request], Awaitable[Response]]
UserEndpoint = Callable[[Request, Caller], Awaitable[Response]]
AgentEndpoint = Callable[[Request, QueryCaller], Awaitable[Response]]


def bearer_token(request: Request) -> str:
    """Raises Unauthenticated when there is no `Authorization: Bearer` header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise errors.Unauthenticated
    return token.strip()


def public(path: str, endpoint: PublicEndpoint, *methods: str) -> Route:
    """Anybody, without a credential."""
    return Route(path, endpoint, methods=list(methods), name="public")


def for_users(
    path: str, endpoint: UserEndpoint, *methods: str, render: problems.ErrorRenderer | None = None
) -> Route:
    """A person, by API key. `render` gives refusals a shape of their own."""

    async def authenticated(request: Request) -> Response:
        caller = await platform_of(request).auth.authenticate(bearer_token(request))
        return await endpoint(request, caller)

    served = authenticated if render is None else _rendering(authenticated, render)
    return Route(path, served, methods=list(methods), name="user")


def _rendering(endpoint: PublicEndpoint, render: problems.ErrorRenderer) -> PublicEndpoint:
    async def rendered(request: Request) -> Response:
        reference = problems.reference_of(request.scope)
        try:
            return await endpoint(request)
        except pydantic.ValidationError as error:
            return render(problems.from_validation(error), reference)
        except errors.FixieError as error:
            problems.log_failure(error, reference)
            return render(error, reference)

    return rendered


def for_agents(path: str, endpoint: AgentEndpoint, *methods: str) -> Route:
    """An agent acting for a person, by query token."""

    async def authenticated(request: Request) -> Response:
        caller = await platform_of(request).auth.authenticate_query(bearer_token(request))
        return await endpoint(request, caller)

    return Route(path, authenticated, methods=list(methods), name="agent")
