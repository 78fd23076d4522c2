"""The composition root: settings in, ASGI application out. The URL map is this page."""

import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from fixieai.llm.models import Models
from fixieai.platform import (
    addresses,
    local_user,
    prices,
    replicas,
    secret_key,
    shared_keys,
    signing_keys,
    strangers,
)
from fixieai.platform.accounts import Accounts
from fixieai.platform.agent_addresses import AgentAddresses
from fixieai.platform.agent_calls.fixie import AgentCaller
from fixieai.platform.auth import Auth
from fixieai.platform.authorizations import Authorizations
from fixieai.platform.browser_codes import BrowserCodes
from fixieai.platform.budgets import Budgets
from fixieai.platform.deployments.deployments import Deployments
from fixieai.platform.embeds import MAXIMUM_BYTES, Embeds
from fixieai.platform.endpoints import (
    agents,
    attachments,
    authorize,
    browser_keys,
    events,
    graphql,
    keys,
    oauth,
    openai_proxy,
    organizations,
    pages,
    probes,
    queries,
    retention,
    revisions,
    sessions,
    sign_in,
    user_storage,
    users,
)
from fixieai.platform.endpoints.access import for_agents, for_users, public
from fixieai.platform.endpoints.usage import counted, show_usage
from fixieai.platform.executors import Executor
from fixieai.platform.handshakes import Handshakes
from fixieai.platform.hosting import Hosting
from fixieai.platform.metrics import Metrics
from fixieai.platform.oauth import OAuth
from fixieai.platform.oauth_values import OAuthValues
from fixieai.platform.openai_proxy import OpenAIProxy
from fixieai.platform.organizations import Organizations
from fixieai.platform.performer import Services
from fixieai.platform.query_embed import EmbedReader
from fixieai.platform.query_runner import QueryRunner
from fixieai.platform.readiness import Readiness
from fixieai.platform.registry import Registry
from fixieai.platform.request_counts import RequestCounts
from fixieai.platform.retention import Retention
from fixieai.platform.revisions import Revisions
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.services import Platform
from fixieai.platform.sessions import Sessions
from fixieai.platform.settings import Settings
from fixieai.platform.sign_in import SignIn
from fixieai.platform.signing_keys import SigningKeys
from fixieai.platform.usage import Usage
from fixieai.platform.user_storage import UserStorage
from fixieai.storage import blobs, home_lock
from fixieai.storage.database import Database, connect
from fixieai.web import egress, guard, problems, server

_logger = logging.getLogger("fixieai.platform")
_MAXIMUM_BODY_BYTES = 8 * 1024 * 1024
# Of what anybody may send.
_MAXIMUM_SIGN_IN_BYTES = 16 * 1024
_CONNECTIONS_PER_AGENT = 50

ROUTES: list[Route] = [
    public(probes.HEALTH, probes.health, "GET"),
    public(probes.READY, probes.ready, "GET"),
    public(probes.METRICS, probes.metrics, "GET"),
    public("/.well-known/jwks.json", users.jwks, "GET"),
    public("/", pages.show_page, "GET"),
    public("/agents/{owner}/{handle}", pages.show_page, "GET"),
    public("/sessions/{handle}", pages.show_page, "GET"),
    public("/static/{file}", pages.show_file, "GET"),
    public("/attachment/{token}", attachments.send_attachment, "GET"),
    public("/login", pages.show_account_page, "GET"),
    public("/welcome", pages.show_account_page, "GET"),
    public("/authorize", pages.show_account_page, "GET"),
    public("/profile", pages.show_account_page, "GET"),
    public("/oauth", oauth.come_back, "GET"),
    public("/graphql", pages.show_schema_browser, "GET"),
    for_users("/graphql", graphql.answer, "POST", render=graphql.render),
    public("/api/browser-keys", browser_keys.create_key, "POST"),
    for_users("/api/browser-codes", browser_keys.create_code, "POST"),
    for_users("/api/user", users.show_user, "GET"),
    for_users("/api/usage", show_usage, "GET"),
    for_users("/api/users", users.list_users, "GET"),
    for_users("/api/users", users.add_user, "POST"),
    for_users("/api/users/{username}", users.remove_user, "DELETE"),
    for_users("/api/users/{username}/invitation", users.invite_user, "POST"),
    for_users("/api/users/{username}/keys", keys.list_keys, "GET"),
    for_users("/api/users/{username}/keys", keys.create_key, "POST"),
    for_users("/api/users/{username}/keys/{key_id}", keys.revoke_key, "DELETE"),
    for_users("/api/keys/{key_id}", keys.revoke_any_key, "DELETE"),
    for_users("/api/signing-keys", keys.rotate_signing_keys, "POST"),
    for_users("/api/gc", retention.begin_collection, "POST"),
    for_users("/api/gc", retention.show_collection, "GET"),
    public("/api/sign-in", sign_in.show_ways, "GET"),
    public("/api/sign-in", sign_in.sign_in, "POST"),
    public("/api/invitations", sign_in.accept_invitation, "POST"),
    for_users("/api/sign-out", sign_in.sign_out, "POST"),
    for_users("/api/password", sign_in.change_password, "PUT"),
    public("/api/authorization-requests", authorize.describe, "GET"),
    for_users("/api/authorizations", authorize.allow, "POST"),
    public("/access/token", authorize.exchange, "POST"),
    for_users("/api/agents", agents.list_agents, "GET"),
    for_users("/api/agents/{handle}", queries.ask_agent, "POST"),
    for_users("/api/agents/{owner}/{handle}", queries.ask_agent, "POST"),
    for_users("/api/agents/{owner}/{handle}", agents.show_agent, "GET"),
    for_users("/api/agents/{owner}/{handle}", agents.register_agent, "PUT"),
    for_users("/api/agents/{owner}/{handle}", agents.update_agent, "PATCH"),
    for_users("/api/agents/{owner}/{handle}", agents.delete_agent, "DELETE"),
    for_users("/api/agents/{owner}/{handle}/lease", agents.renew_lease, "POST"),
    for_users("/api/agents/{owner}/{handle}/revisions", revisions.list_revisions, "GET"),
    for_users("/api/agents/{owner}/{handle}/revisions", revisions.create_revision, "POST"),
    for_users("/api/agents/{owner}/{handle}/revisions/{id}/current", revisions.make_current, "PUT"),
    for_users("/api/agents/{owner}/{handle}/revisions/{id}", revisions.delete_revision, "DELETE"),
    for_users("/api/agents/{owner}/{handle}/revisions/{id}/logs", revisions.show_logs, "GET"),
    for_users("/api/refresh/{owner}/{handle}", agents.refresh_agent, "POST"),
    for_users("/api/organizations", organizations.list_organizations, "GET"),
    for_users("/api/organizations", organizations.create_organization, "POST"),
    for_users("/api/organizations/{handle}", organizations.show_organization, "GET"),
    for_users("/api/organizations/{handle}", organizations.delete_organization, "DELETE"),
    for_users("/api/organizations/{handle}/members/{username}", organizations.put_member, "PUT"),
    for_users("/api/organizations/{handle}/members/{username}", organizations.remove_member, "DELETE"),
    for_users("/api/sessions", sessions.list_sessions, "GET"),
    for_users("/api/sessions", sessions.create_session, "POST"),
    for_users("/api/sessions/{handle}", sessions.show_session, "GET"),
    for_users("/api/sessions/{handle}", sessions.delete_session, "DELETE"),
    for_users("/api/sessions/{handle}/cancel", sessions.cancel_query, "POST"),
    for_users("/api/sessions/{handle}/messages", sessions.list_messages, "GET"),
    for_users("/api/sessions/{handle}/events", events.follow_session, "GET"),
    for_users("/api/sessions/{handle}/embeds", attachments.list_embeds, "GET"),
    for_users("/api/sessions/{handle}/embeds", attachments.upload_embed, "POST"),
    for_users("/api/sessions/{handle}/embeds", attachments.upload_embed, "PUT"),
    for_agents("/api/openai-proxy/v1/{path:path}", openai_proxy.answer, "GET", "POST", "DELETE"),
    for_agents("/api/userstorage/{owner}/{handle}", counted(user_storage.list_values), "GET"),
    for_agents("/api/userstorage/{owner}/{handle}/{key:any_text}", counted(user_storage.get_value), "GET"),
    for_agents("/api/userstorage/{owner}/{handle}/{key:any_text}", counted(user_storage.put_value), "POST"),
    for_agents(
        "/api/userstorage/{owner}/{handle}/{key:any_text}", counted(user_storage.delete_value), "DELETE"
    ),
]


@contextlib.asynccontextmanager
async def open_platform(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Platform]:
    """A platform with its database open, its local user made, and interrupted queries marked.

    Raises:
        ConfigurationError: the home cannot be used; the message says why and what to do.
        Conflict: another platform is using the home.
    """
    local_user.make_home(settings.home)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(home_lock.acquire(settings.home).release)
        secret = secret_key.load_or_create(settings.home, settings.secret_key)
        database = await connect(settings.database_url)
        stack.push_async_callback(database.close)
        keys = await _signing_keys(settings, database, secret)
        platform = await _compose(
            settings, metrics or Metrics(), database, secret, Auth(database, keys), stack
        )
        await local_user.ensure_key(settings.home, platform.auth)
        await platform.accounts.check_who_may_come()
        if settings.takes_up_work or settings.is_alone:
            await platform.executor.begin(is_alone=settings.is_alone)
        if settings.takes_up_work:
            await stack.enter_async_context(platform.runner.relay.connected())
            await platform.revisions.open()
            platform.retention.open()
            await platform.runner.take_over()
        # A command that passes by, perhaps with fewer variables, does not decide where all keep bytes.
        await platform.embeds.open(is_alone=settings.is_alone or not settings.takes_up_work)
        async with replicas.together(platform, keys):
            yield platform
            await platform.runner.stopped()
        await platform.executor.end()


async def _signing_keys(settings: Settings, database: Database, secret: SecretKey) -> SigningKeys:
    if settings.is_alone:
        return signing_keys.load_or_create(settings.home)
    return await shared_keys.load_or_create(database, secret)


async def _compose(
    settings: Settings,
    metrics: Metrics,
    database: Database,
    secret: SecretKey,
    auth: Auth,
    stack: contextlib.AsyncExitStack,
) -> Platform:
    caller = _agent_caller(settings)
    stack.push_async_callback(caller.close)
    models = Models(settings.models)
    stack.push_async_callback(models.close)
    handshakes = Handshakes(auth, caller, settings.limits.agent_seconds)
    stored = blobs.open_blobs(settings.home / "blobs", settings.blobs)
    if settings.public_url is not None:
        stored.tell = database.tell = strangers.told
    deployments = Deployments(stored, settings)
    stack.push_async_callback(deployments.close)
    hosting = Hosting(database, deployments)
    executor = Executor(database, settings.lease_seconds)
    registry = Registry(database, handshakes, hosting)
    caller.report_to(registry.show_reachability)
    revisions_of_agents = Revisions(database, handshakes, hosting, executor, settings.deploy_seconds)
    stack.push_async_callback(revisions_of_agents.close)
    price_list = prices.load(settings.daily_limits.prices)
    usage = Usage(
        database,
        settings.daily_limits,
        price_list,
        note=metrics.count_tokens,
        executor_id=None if settings.is_alone else lambda: executor.id,
    )
    stack.push_async_callback(usage.close)
    budgets = Budgets(settings.limits.tokens, database)
    proxy = OpenAIProxy(settings.models, usage, budgets, is_on=settings.shares_openai_key)
    stack.push_async_callback(proxy.close)
    embeds = Embeds(database, stored, secret, settings.url)
    collecting = Retention(database, stored, embeds, hosting, settings.kept_days)
    stack.push_async_callback(collecting.close)
    services = Services(
        caller,
        AgentAddresses(auth, deployments, settings.limits.agent_seconds),
        registry,
        models,
        usage,
        budgets,
        embeds,
        _embed_reader(settings, embeds, stack),
        settings.limits,
        metrics,
    )
    runner = QueryRunner(database, services, executor)
    oauth_values = OAuthValues(database, secret)
    conversations = Sessions(database, registry, runner, embeds)
    return Platform(
        settings=settings,
        database=database,
        auth=auth,
        secret_key=secret,
        browser_codes=BrowserCodes(database),
        models=models,
        registry=registry,
        revisions=revisions_of_agents,
        retention=collecting,
        organizations=Organizations(database),
        executor=executor,
        runner=runner,
        embeds=embeds,
        sessions=conversations,
        accounts=Accounts(settings, database, auth, registry, conversations),
        sign_in=SignIn(database, auth),
        authorizations=Authorizations(database, auth),
        oauth=OAuth(oauth_values, services),
        user_storage=UserStorage(database, oauth_values, settings.storage_quota),
        openai_proxy=proxy,
        usage=usage,
        metrics=metrics,
        readiness=Readiness(database),
    )


def _agent_caller(settings: Settings) -> AgentCaller:
    # Each call to an agent has a deadline of its own, so the pool sets none: calls beyond the
    # connections that one agent may have wait their turn.
    policy = egress.EgressPolicy(
        allow_loopback=settings.public_url is None or settings.may_reach_private_agents,
        allow_private=settings.may_reach_private_agents,
        connections_per_host=_CONNECTIONS_PER_AGENT,
        pool_seconds=None,
        read_seconds=None,
        total_seconds=None,
    )
    own = dataclasses.replace(policy, allow_loopback=True)
    return AgentCaller(egress.build_session(policy), egress.build_session(own))


def _embed_reader(settings: Settings, embeds: Embeds, stack: contextlib.AsyncExitStack) -> EmbedReader:
    policy = egress.EgressPolicy(
        allow_loopback=settings.may_reach_private_embeds,
        allow_private=settings.may_reach_private_embeds,
        setting="FIXIE_ALLOW_PRIVATE_EMBEDS=1",
        maximum_redirects=3,
    )
    session = egress.build_session(policy)
    stack.push_async_callback(session.close)
    return EmbedReader(embeds, session)


def build_app(settings: Settings) -> ASGIApp:
    """The whole server. It opens its home when the server starts it (ASGI lifespan)."""
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Callable[[], None]]]:
        async with open_platform(settings, metrics) as platform:
            app.state.platform = platform
            with addresses.published(settings):
                yield {server.ON_DRAINING: platform.readiness.drain, server.ON_STOPPING: platform.stop}

    app = Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers=problems.EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False  # it would answer before anybody asked for a credential
    return RequestCounts(guard.Guard(app, _guard_settings(settings)), ROUTES, metrics)


def _probes(settings: Settings) -> frozenset[str]:
    """What load balancers and monitors ask by the address of one machine, where there are any."""
    if settings.public_url is None:
        return frozenset()
    return frozenset({probes.HEALTH, probes.READY, probes.METRICS})


def _guard_settings(settings: Settings) -> guard.GuardSettings:
    """Names of this machine only: a web page elsewhere cannot make a browser talk to the platform."""
    names = ("127.0.0.1", "localhost", "[::1]")
    origins = {f"http://{name}:{settings.port}" for name in names}
    return guard.GuardSettings(
        hosts=frozenset(names) | settings.public_hosts,
        origins=frozenset(origins | settings.public_origins),
        probes=_probes(settings),
        maximum_body_bytes=_MAXIMUM_BODY_BYTES,
        body_limits=(
            *((path, _MAXIMUM_SIGN_IN_BYTES) for path in ("/api/sign-in", "/api/invitations", "/access/")),
            ("/api/sessions/", MAXIMUM_BYTES),
            ("/graphql", graphql.MAXIMUM_BODY_BYTES),
            ("/api/openai-proxy/", openai_proxy.MAXIMUM_BODY_BYTES),
        ),
    )
