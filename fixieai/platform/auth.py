"""Who is asking: API keys of people, and query tokens that agents act with for one person and one agent."""

import secrets
import time
from dataclasses import dataclass
from typing import Any, TypeVar

from fixieai import constants, errors
from fixieai.platform import signing_keys
from fixieai.platform.settings import LOCAL_USERNAME
from fixieai.storage import api_keys, users
from fixieai.storage.api_keys import ApiKey
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.storage.users import User

API_KEY_AUDIENCE = "fixie-platform"
QUERY_TOKEN_SECONDS = 600
BROWSER_KEY_SECONDS = 12 * 3600
# So long after somebody signed in, their web page may give out keys that last.
FRESH_SECONDS = 600
# A token is handed out again while it has this long to live and more, so that agents verify it once.
_QUERY_TOKEN_LEAST_SECONDS = 180
_REVOCATION_SECONDS = 5.0
_CACHE_SIZE = 10_000

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Caller:
    """The person a request acts for. `time_zone` is an IANA name; None: the platform's own.

    `key_id` is that of the API key they showed; None for one that ends by itself, and for agents.
    `signed_in` is when the web page that acts for them got its key (Unix seconds), None for no page.
    """

    user_id: int
    username: str
    time_zone: str | None = None
    key_id: str | None = None
    is_administrator: bool = False
    signed_in: int | None = None

    def must_be_fresh(self) -> None:
        """Raises SignInAgain for a page's key of a while ago: stolen, it must not become one that lasts."""
        if self.key_id is None and time.time() - (self.signed_in or 0) > FRESH_SECONDS:
            raise errors.SignInAgain

    def must_administrate(self) -> None:
        """Raises Forbidden for everybody but administrators."""
        if not self.is_administrator:
            raise errors.Forbidden("Only an administrator of this platform may do that.")


@dataclass(frozen=True, slots=True)
class QueryCaller:
    """An agent acting for a person within one query; `session` is the handle of where that was asked."""

    user: Caller
    agent_id: str
    session: str = ""


class Auth:
    """Issues and verifies both kinds of token.

    What was verified is remembered for five seconds: so long it may take until a key that was revoked at
    one platform of a database ends at the others.
    """

    def __init__(self, database: Database, keys: signing_keys.SigningKeys) -> None:
        self._database = database
        self._keys = keys
        self._callers: dict[str, tuple[Caller, float]] = {}
        self._query_callers: dict[str, tuple[QueryCaller, float]] = {}
        self._query_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
        self._times_forgotten = 0

    def jwks(self) -> dict[str, Any]:
        return self._keys.jwks()

    async def create_api_key(self, username: str, name: str) -> str:
        """A new API key of the user, who is created when new."""
        user = await self._database.write(users.ensure, username, is_administrator=username == LOCAL_USERNAME)
        _, key = await self.give_key(user, name)
        return key

    async def give_key(self, user: User, name: str, most: int | None = None) -> tuple[ApiKey, str]:
        """A new API key that ends only when it is revoked: what is kept of it, and the key itself.

        Raises:
            Conflict: the user was removed, or has `most` of them already.
        """
        key_id = _new_key_id()
        stored = await self._database.write(api_keys.create, user.id, key_id, name, most=most)
        key = self._keys.sign(
            {"sub": user.username, "aud": API_KEY_AUDIENCE, "jti": key_id, "iat": int(time.time())}
        )
        return stored, key

    async def sign_in(self, user: User, name: str) -> str:
        """A key for the web page of somebody who showed who they are; it ends after 12 hours.

        Raises:
            Conflict: the user was removed.
        """
        key_id = _new_key_id()
        expires = int(time.time()) + BROWSER_KEY_SECONDS
        await self._database.write(_sign_in, user.id, key_id, name, expires)
        return self.browser_key(user.username, key_id)

    async def sign_out(self, token: str) -> None:
        """Ends a key that `sign_in` gave. One of another kind stays as it is."""
        claims = self._keys.verify(token, API_KEY_AUDIENCE, required=["sub", "jti", "aud"])
        user = await self._database.read(users.by_username, str(claims["sub"]))
        if user is not None:
            await self._database.write(api_keys.end_sign_in, user.id, str(claims["jti"]))
        self._times_forgotten += 1  # who is being looked up at this moment may have been found before
        self._callers.pop(token, None)

    async def revoke(self, user_id: int, key_id: str) -> bool:
        """Whether the user had such a key that was good until now."""
        was_good = await self._database.write(api_keys.revoke, user_id, key_id)
        self.forget()
        return was_good

    def forget(self) -> None:
        """Looks up everybody anew: somebody was removed, or a key revoked."""
        self._times_forgotten += 1
        self._callers.clear()
        self._query_callers.clear()

    async def rotate_keys(self) -> signing_keys.SigningKey:
        """A new signing key, published now; it signs in five minutes."""
        return await self._keys.rotate()

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
        forgotten_before = self._times_forgotten
        user = await self._database.read(api_keys.active_user, str(claims["jti"]))
        if user is None or user.username != claims["sub"]:
            self._callers.pop(token, None)
            raise errors.InvalidCredential
        is_page = "exp" in claims
        caller = Caller(
            user.id,
            user.username,
            user.time_zone,
            key_id=None if is_page else str(claims["jti"]),
            is_administrator=user.is_administrator,
            signed_in=int(claims.get("iat", 0)) if is_page else None,
        )
        if forgotten_before == self._times_forgotten:
            _remember(self._callers, token, (caller, now + _REVOCATION_SECONDS))
        return caller

    def query_token(self, username: str, agent_id: str, session: str) -> str:
        """A token for `agent_id` to act for the user in one session, good for 3 to 10 minutes."""
        key = (username, agent_id, session)
        now = time.time()
        known = self._query_tokens.get(key)
        if known is not None and known[1] - now > _QUERY_TOKEN_LEAST_SECONDS:
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
        now = time.time()
        known = self._query_callers.get(token)
        if known is not None and now < known[1] <= now + _REVOCATION_SECONDS:
            return known[0]
        audience = constants.FIXIE_AGENT_API_AUDIENCES[0]
        claims = self._keys.verify(
            token, audience, required=["sub", "aid", "aud", "exp"], is_short_lived=True
        )
        forgotten_before = self._times_forgotten
        user = await self._database.read(users.by_username, str(claims["sub"]))
        if user is None:
            raise errors.InvalidCredential
        person = Caller(user.id, user.username, user.time_zone)
        caller = QueryCaller(person, str(claims["aid"]), str(claims.get("sid", "")))
        if forgotten_before == self._times_forgotten:
            until = min(float(claims["exp"]), now + _REVOCATION_SECONDS)
            _remember(self._query_callers, token, (caller, until))
        return caller


def _new_key_id() -> str:
    return secrets.token_hex(12)


def _sign_in(transaction: Transaction, user_id: int, key_id: str, name: str, expires: int) -> None:
    api_keys.forget_sign_ins(transaction, user_id)
    api_keys.create(transaction, user_id, key_id, name, expires)


def _remember(cache: dict[_K, _V], key: _K, value: _V) -> None:
    """The oldest entry makes room: dictionaries keep the order of insertion."""
    if len(cache) >= _CACHE_SIZE:
        cache.pop(next(iter(cache)), None)
    cache[key] = value
