"""Every setting of the platform, read once."""

import contextlib
import pathlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fixieai import credentials, errors
from fixieai.llm.settings import ModelSettings
from fixieai.storage.blobs import BLOB_VARIABLES
from fixieai.storage.database import sqlite_url
from fixieai.storage.user_storage import Quota

LOCAL_USERNAME = "local"
DATABASE_FILE = "fixie.db"
_Number = TypeVar("_Number", int, float)
_PUBLIC_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")
# Of each person with each agent.
_STORAGE_QUOTA = Quota(keys=1_000_000, bytes=1024**3)
_REACHED_AT = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound
# Longer than load balancers take to ask twice.
_DRAIN_SECONDS = 5.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What ends a query. Seconds are wall-clock.

    `tokens` are those of all model calls together; None: as many as it takes.
    `grace_seconds` is what running queries get when the platform stops. It is less than the
    server's own, so that whoever waits is told how the query ended.
    """

    hops: int = 8
    steps: int = 20
    query_seconds: float = 300.0
    agent_seconds: float = 60.0
    waiting_per_session: int = 32
    history_messages: int = 200
    tokens: int | None = 1_000_000
    grace_seconds: float = 8.0


@dataclass(frozen=True, slots=True)
class DailyLimits:
    """What one person may use on a day (UTC). None: as much as they like.

    `agent_tokens` is for each agent they ask; `dollars` counts models whose price is known, by
    the table in the file `prices`, or the package's own.
    """

    queries: int | None = 1_000
    storage_calls: int | None = 100_000
    tokens: int | None = None
    agent_tokens: int | None = None
    dollars: float | None = None
    prices: pathlib.Path | None = None


@dataclass(frozen=True, slots=True)
class KeptDays:
    """For how many days things are kept. None: for ever.

    `sessions`: since somebody last asked in them; `messages`: of sessions that are still asked in, but
    for the newest query; `revisions`: code that is not current; `usage`: what was counted.
    """

    sessions: float | None = None
    messages: float | None = None
    revisions: float | None = None
    usage: float | None = 400.0


@dataclass(frozen=True, slots=True)
class DeploymentLimits:
    """What uploaded code may use: memory of one agent with all its processes, agents that run at once."""

    memory_mib: int = 512
    processes: int = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """`home` holds the database, the keys and the lock; `port` 0 takes any free port.

    `secret_key` is 32 bytes in base64; None: the home's own. `public_url` is where others reach this
    platform, without a slash at its end; None: only this machine does. `postgres_url` is the database
    that this platform shares with others; None: it has one of its own, in the home. `blobs` are the
    variables that say where attachments are; without them they are in the home. A platform that does not
    take up work is there for a moment: it starts no agents, and leaves alone what was under way.
    `drain_seconds` is how long it serves on after SIGTERM, while load balancers find that it is not ready.
    """

    home: pathlib.Path
    host: str = "127.0.0.1"
    port: int = 8180
    postgres_url: str | None = field(default=None, repr=False)
    may_reach_private_agents: bool = False
    may_reach_private_embeds: bool = False
    shares_openai_key: bool = True
    limits: QueryLimits = field(default_factory=QueryLimits)
    daily_limits: DailyLimits = field(default_factory=DailyLimits)
    storage_quota: Quota = field(default_factory=lambda: _STORAGE_QUOTA)
    kept_days: KeptDays = field(default_factory=KeptDays)
    models: ModelSettings = field(default_factory=ModelSettings)
    deploy_seconds: float = 120.0
    lease_seconds: float = 10.0
    deployments: DeploymentLimits = field(default_factory=DeploymentLimits)
    secret_key: str | None = field(default=None, repr=False)
    public_url: str | None = None
    blobs: Mapping[str, str] = field(default_factory=dict, repr=False)
    takes_up_work: bool = True
    drain_seconds: float = 0.0
    has_public_metrics: bool = False

    @property
    def url(self) -> str:
        """Where people find this platform, for links."""
        return self.public_url or self.local_url

    @property
    def local_url(self) -> str:
        """Where programs on this machine find it."""
        host = _REACHED_AT.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def public_hosts(self) -> frozenset[str]:
        """What the header `Host` holds when others ask."""
        named = self.public_url.partition("://")[2:] if self.public_url else ()
        return frozenset((*named, f"[{self.host}]" if ":" in self.host else self.host))

    @property
    def public_origins(self) -> frozenset[str]:
        return frozenset((self.public_url,) if self.public_url else ())

    @property
    def is_for_this_machine(self) -> bool:
        return self.host in _LOOPBACK

    @property
    def shows_metrics(self) -> bool:
        """To whoever asks: on this machine alone, unless somebody wanted it so."""
        return self.has_public_metrics or self.public_url is None

    @property
    def database_url(self) -> str:
        return self.postgres_url or sqlite_url(self.home.absolute() / DATABASE_FILE)

    @property
    def is_alone(self) -> bool:
        """Whether no other platform can use the same database."""
        return self.postgres_url is None


def _number(
    environment: Mapping[str, str],
    name: str,
    kind: type[_Number],
    is_allowed: Callable[[_Number], bool],
    allowed: str,
) -> _Number | None:
    """The variable as a number, None when it is not set; `allowed` says in words what `is_allowed` does."""
    text = environment.get(name)
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        number = kind(text)
        if is_allowed(number):
            return number
    what = "a whole number" if kind is int else "a number"
    raise errors.ConfigurationError(f"{name} must be {what}{allowed}, not {text!r}")


def _read(environment: Mapping[str, str], name: str, kind: type[_Number], default: _Number) -> _Number:
    number = _number(environment, name, kind, lambda number: 0 < number < 1e6, " above 0")
    return default if number is None else number


def _read_limit(
    environment: Mapping[str, str], name: str, kind: type[_Number], default: _Number | None
) -> _Number | None:
    """0 stands for no limit."""
    largest = 2e9  # what a GraphQL Int holds
    number = _number(environment, name, kind, lambda number: 0 <= number <= largest, ", or 0 for no limit")
    return default if number is None else number or None


def _daily_limits(environment: Mapping[str, str]) -> DailyLimits:
    unset = DailyLimits()
    prices = environment.get("FIXIE_PRICES")
    return DailyLimits(
        queries=_read_limit(environment, "FIXIE_DAILY_QUERIES", int, unset.queries),
        storage_calls=_read_limit(environment, "FIXIE_DAILY_STORAGE_CALLS", int, unset.storage_calls),
        tokens=_read_limit(environment, "FIXIE_DAILY_TOKENS", int, unset.tokens),
        agent_tokens=_read_limit(environment, "FIXIE_DAILY_AGENT_TOKENS", int, unset.agent_tokens),
        dollars=_read_limit(environment, "FIXIE_DAILY_DOLLARS", float, unset.dollars),
        prices=pathlib.Path(prices) if prices else None,
    )


def _storage_quota(environment: Mapping[str, str]) -> Quota:
    default, unlimited = _STORAGE_QUOTA, Quota()
    return Quota(
        keys=_read_limit(environment, "FIXIE_STORAGE_KEYS", int, default.keys) or unlimited.keys,
        bytes=_read_limit(environment, "FIXIE_STORAGE_BYTES", int, default.bytes) or unlimited.bytes,
    )


def _kept_days(environment: Mapping[str, str]) -> KeptDays:
    default = KeptDays()
    return KeptDays(
        sessions=_read_limit(environment, "FIXIE_KEEP_SESSIONS_DAYS", float, default.sessions),
        messages=_read_limit(environment, "FIXIE_KEEP_MESSAGES_DAYS", float, default.messages),
        revisions=_read_limit(environment, "FIXIE_KEEP_REVISIONS_DAYS", float, default.revisions),
        usage=_read_limit(environment, "FIXIE_KEEP_USAGE_DAYS", float, default.usage),
    )


def _public_url(environment: Mapping[str, str]) -> str | None:
    """Raises ConfigurationError unless it is a scheme and a host, with a port at most."""
    text = environment.get("FIXIE_PUBLIC_URL")
    if not text:
        return None
    if not _PUBLIC_URL.fullmatch(text):
        raise errors.ConfigurationError(
            f"FIXIE_PUBLIC_URL must be as https://fixie.example.com, without a path, not {text[:200]!r}"
        )
    scheme, _, place = text.rstrip("/").lower().partition("://")
    # As browsers write it.
    return f"{scheme}://{place.removesuffix({'http': ':80', 'https': ':443'}[scheme])}"


def _postgres_url(environment: Mapping[str, str]) -> str | None:
    """Raises ConfigurationError when it is of another kind, or has no secret key beside it."""
    url = environment.get("FIXIE_DATABASE_URL")
    if not url:
        return None
    if not url.startswith(("postgresql://", "postgres://")):
        raise errors.ConfigurationError(
            "FIXIE_DATABASE_URL must be as postgresql://user:password@host/database. "
            "Without it the database is a file of the home."
        )
    if not environment.get("FIXIE_SECRET_KEY"):
        raise errors.ConfigurationError(
            "With FIXIE_DATABASE_URL the platform needs FIXIE_SECRET_KEY, the same wherever that database is "
            "used: 32 random bytes in base64, as `openssl rand -base64 32` prints them."
        )
    return url


def _drain_seconds(environment: Mapping[str, str]) -> float:
    """Where others share the database, there is somewhere to send people meanwhile."""
    text = environment.get("FIXIE_DRAIN_SECONDS")
    if text is None:
        return _DRAIN_SECONDS if environment.get("FIXIE_DATABASE_URL") else 0.0
    return 0.0 if text == "0" else _read(environment, "FIXIE_DRAIN_SECONDS", float, 0.0)


def from_environment(
    environment: Mapping[str, str],
    home: pathlib.Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8180,
) -> Settings:
    """The settings of a platform.

    Raises:
        ConfigurationError: a variable cannot be read, or the address is not this machine's own.
    """
    public_url = _public_url(environment)
    if host not in _LOOPBACK and public_url is None:
        raise errors.ConfigurationError(
            f"This platform is for this machine alone, so it does not listen on {host}.\n"
            "To let others in, set FIXIE_PUBLIC_URL to the address they use, and add users with\n"
            "`fixie platform users add`.\n"
            "For yourself, reach it from another machine through a tunnel, as in\n"
            f"ssh -L {port}:127.0.0.1:{port} this-machine"
        )
    unset = QueryLimits()
    limits = QueryLimits(
        hops=_read(environment, "FIXIE_MAXIMUM_HOPS", int, unset.hops),
        steps=_read(environment, "FIXIE_MAXIMUM_STEPS", int, unset.steps),
        query_seconds=_read(environment, "FIXIE_QUERY_SECONDS", float, unset.query_seconds),
        agent_seconds=_read(environment, "FIXIE_AGENT_SECONDS", float, unset.agent_seconds),
        tokens=_read_limit(environment, "FIXIE_QUERY_TOKENS", int, unset.tokens),
    )
    return Settings(
        home=home or credentials.home_path(),
        host=host,
        port=port,
        postgres_url=_postgres_url(environment),
        may_reach_private_agents=environment.get("FIXIE_ALLOW_PRIVATE_AGENTS") == "1",
        shares_openai_key=environment.get("FIXIE_OPENAI_PROXY") != "0",
        limits=limits,
        daily_limits=_daily_limits(environment),
        storage_quota=_storage_quota(environment),
        kept_days=_kept_days(environment),
        models=ModelSettings.from_environment(environment),
        deploy_seconds=_read(environment, "FIXIE_DEPLOY_SECONDS", float, 120.0),
        lease_seconds=_read(environment, "FIXIE_LEASE_SECONDS", float, 10.0),
        deployments=DeploymentLimits(
            memory_mib=_read(environment, "FIXIE_DEPLOY_MEMORY_MIB", int, DeploymentLimits().memory_mib),
            processes=_read(environment, "FIXIE_DEPLOY_PROCESSES", int, DeploymentLimits().processes),
        ),
        secret_key=environment.get("FIXIE_SECRET_KEY"),
        public_url=public_url,
        blobs={name: environment[name] for name in BLOB_VARIABLES if name in environment},
        may_reach_private_embeds=environment.get("FIXIE_ALLOW_PRIVATE_EMBEDS") == "1",
        drain_seconds=_drain_seconds(environment),
        has_public_metrics=environment.get("FIXIE_METRICS") == "1",
    )
