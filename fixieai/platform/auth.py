"""Who is asking: API keys of people, and query tokens that agents act with for one person and one agent."""

import secrets
import time
from dataclasses import dataclass
from typing import Any, TypeVar

from fixieai import constants, errors
from fixieai.platform import signing_keys
from fixieai.storage import api_keys, users
from fixieai.storage.database import Database

API_KEY_AUDIENCE = "fixie-platform"
QUERY_TOKEN_SECONDS = 600
BROWSER_KEY_SECONDS = 12 * 3600
# A token is handed out again while it has this long to live, so that agents verify it once.
_QUERY_TOKEN_REUSE_SECONDS = 420
_REVOCATION_SECONDS = 5.0
_CACHE_SIZE = 10_000

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Caller:
    """The person a request acts for. `time_zone` is an IANA name; None: the platform's own.

    `key_id` is that of the API key they showed; None for one that ends by itself, and for agents.
    """

    user_id: int
    username: str
    time_zone: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueryCaller:
    """An agent acting for a person within one query."""

    user: Caller
    agent_id: str


class Auth:
    """Issues and verifies both kinds of token. What was verified is remembered until it expires."""

    def __init__(self, database: Database, keys: signing_keys.SigningKeys) -> None:
        self._database = database
        self._keys = keys
        self._callers: dict[str, tuple[Caller, float]] = {}
        self._query_callers: dict[str, tuple[QueryCaller, float]] = {}
        self._query_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}

    def jwks(self) -> dict[str, Any]:
        return self._keys.jwks()

    async def create_api_key(self, username: str, name: str) -> str:
        """A new API key of the user, who is created when new."""
        user = await self._database.write(users.ensure, username)
        key_id = secrets.token_hex(12)
        await self._database.write(api_keys.create, user.id, key_id, name)
        return self._keys.sign(
            {"sub": username, "aud": API_KEY_AUDIENCE, "jti": key_id, "iat": int(time.time())}
        )

    def browser_key(self, username: str, key_id: str) -> str:
        """A key for a web page: it ends after 12 hours, or with the API key that it stands for."""
        now = int(time.time())
        return self._keys.sign(
            {
                "sub": username,
                "aud": API_KEY_AUDIENCE,
                "jti": key_id,
                "iat": now,
                "exp": now + BROWSER_KEY_SECONDS,
            }
        )

    async def authenticate(self, token: str) -> Caller:
        """The person whose API key this is.

        Raises:
            InvalidCredential: it is not a key of this platform, was revoked, or has ended.
        """
        now = time.monotonic()
        known = self._callers.get(token)
        if known is not None and known[1] > now:
            return known[0]
        claims = self._keys.verify(token, API_KEY_AUDIENCE, required=["sub", "jti", "aud"])
        user = await self._database.read(api_keys.active_user, str(claims["jti"]))
        if user is None or user.username != claims["sub"]:
            self._callers.pop(token, None)
            raise errors.InvalidCredential
        key_id = None if "exp" in claims else str(claims["jti"])
        caller = Caller(user.id, user.username, user.time_zone, key_id)
        _remember(self._callers, token, (caller, now + _REVOCATION_SECONDS))
        return caller

    def query_token(self, username: str, agent_id: str, session: str) -> str:
        """A token for `agent_id` to act for the user in one session, good for 3 to 10 minutes."""
        key = (username, agent_id, session)
        now = time.time()
        known = self._query_tokens.get(key)
        if known is not None and known[1] - now > QUERY_TOKEN_SECONDS - _QUERY_TOKEN_REUSE_SECONDS:
            return known[0]
        expires = int(now) + QUERY_TOKEN_SECONDS
        token = self._keys.sign(
            {
                "aud": constants.FIXIE_AGENT_API_AUDIENCES,
                "sub": username,
                "aid": agent_id,
                "sid": session,
                "iat": int(now),
                "exp": expires,
            }
        )
        _remember(self._query_tokens, key, (token, float(expires)))
        return token

    async def authenticate_query(self, token: str) -> QueryCaller:
        """Whom a query token acts for, and as which agent.

        Raises:
            InvalidCredential: it is not a query token of this platform, or has expired.
        """
        known = self._query_callers.get(token)
        if known is not None and known[1] > time.time():
            return known[0]
        audience = constants.FIXIE_AGENT_API_AUDIENCES[0]
        claims = self._keys.verify(token, audience, required=["sub", "aid", "aud", "exp"])
        user = await self._database.read(users.by_username, str(claims["sub"]))
        if user is None:
            raise errors.InvalidCredential
        caller = QueryCaller(Caller(user.id, user.username, user.time_zone), str(claims["aid"]))
        _remember(self._query_callers, token, (caller, float(claims["exp"])))
        return caller


def _remember(cache: dict[_K, _V], key: _K, value: _V) -> None:
    """The oldest entry makes room: dictionaries keep the order of insertion."""
    if len(cache) >= _CACHE_SIZE:
        cache.pop(next(iter(cache)), None)
    cache[key] = value
