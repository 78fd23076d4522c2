"""OAuth 2: an agent gets a user's permission at another service, and keeps the token for it.

    handler.user_token()              None: the user has not said yes yet (or no longer)
    handler.get_authorization_url()   give this link to the user; it holds a `state`
    POST /_oauth {"state", "code"}    the platform, when the user comes back: handler.authorize
    handler.user_token()              the access token, renewed when it has run out

Everything is kept in the user's storage for this agent: `_oauth_state` (the platform finds the
user by it) and `_oauth_flow` while the user is away, `_oauth_token` afterwards.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fixieai import errors
from fixieai.agents.exceptions import AgentException
from fixieai.agents.oauth_params import OAuthError, OAuthParams
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.messages import Message

if TYPE_CHECKING:
    from fixieai.agents.oauth_provider import Provider

__all__ = ["OAuthError", "OAuthHandler", "OAuthParams", "finish_authorization"]

_STATE_KEY = "_oauth_state"
_FLOW_KEY = "_oauth_flow"
_TOKEN_KEY = "_oauth_token"  # noqa: S105 - the name under which it is kept
_FLOW_SECONDS = 600
_EARLY = timedelta(seconds=30)
_LONGEST = timedelta(days=3650)
_NO_LONGER = ("invalid_grant", "bad_refresh_token", "invalid_refresh_token")
# How long another process may take to store what it got for a refresh token.
_SECONDS_UNTIL_STORED = (0.1, 0.2, 0.4)
# Providers that give a new refresh token each time take the second use of one for theft. Within
# this process it has only one: by which of these locks is free for it.
_RENEWALS = tuple(threading.Lock() for _ in range(64))


@dataclass(frozen=True, slots=True)
class _Token:
    """`expiry` is None where the provider does not say."""

    access_token: str = field(repr=False)
    expiry: datetime | None
    refresh_token: str | None = field(repr=False)

    def has_expired(self) -> bool:
        return self.expiry is not None and datetime.now(UTC) >= self.expiry - _EARLY

    def to_json(self) -> str:
        # UTC without saying so is the stored form: the original cannot compare any other.
        expiry = None if self.expiry is None else self.expiry.astimezone(UTC).replace(tzinfo=None).isoformat()
        return json.dumps(
            {
                "access_token": self.access_token,
                "expiry": expiry,
                "refresh_token": self.refresh_token,
            }
        )


def _parse_token(stored: object) -> _Token | None:
    """What is stored as a token; None for anything but what `to_json`, or the original, wrote."""
    try:
        content: Any = json.loads(stored) if isinstance(stored, str) else None
        access_token, refresh_token = content["access_token"], content["refresh_token"]
        expiry = None if content["expiry"] is None else datetime.fromisoformat(content["expiry"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(access_token, str) or not isinstance(refresh_token, (str, type(None))):
        return None
    if expiry is not None and expiry.tzinfo is None:
        expiry = expiry.replace(tzinfo=UTC)
    return _Token(access_token, expiry, refresh_token)


class OAuthHandler:
    """The permission of the user of a query. Every method asks the platform, and so blocks."""

    def __init__(self, oauth_params: OAuthParams, token_claims: VerifiedTokenClaims) -> None:
        """Raises AgentException (400) when the query is of nobody who could give permission."""
        self._params = oauth_params
        self._agent_id = token_claims.agent_id
        self._redirect_uri = _redirect_uri(token_claims)
        self._storage = UserStorage(token_claims)

    def get_authorization_url(self) -> str:
        """The page of the provider where the user says yes. It is good for one use, within 10 minutes.

        A new link takes the place of the one before.

        Raises:
            UserStorageError: what is needed afterwards could not be kept.
            ValueError: `auth_uri` is no address of a web page.
        """
        state = f"{self._agent_id}:{secrets.token_urlsafe()}"
        link, code_verifier = self._provider().link(state)
        self._storage[_FLOW_KEY] = {"code_verifier": code_verifier, "expires": time.time() + _FLOW_SECONDS}
        self._storage[_STATE_KEY] = state
        return link

    def authorize(self, state: str, code: str) -> None:
        """Trades the code that the user came back with for a token, and keeps that.

        Raises:
            ValueError: the state is not that of the link given to this user last, or that link was
                used before or is too old; or there is no code.
            OAuthError: the provider gave no token.
        """
        if not code:
            raise ValueError("the user came back without a code")
        code_verifier = self._take_flow(state)
        granted = self._provider().exchange(code, code_verifier)
        self._storage[_TOKEN_KEY] = _token(granted, None).to_json()

    def user_token(self) -> str | None:
        """The access token, renewed when it has run out; None when the user has to say yes (again).

        Raises:
            OAuthError: it has to be renewed, and the provider could not be asked.
        """
        stored = self._storage.get(_TOKEN_KEY)
        if stored is None:
            return None
        token = _parse_token(stored)
        if token is None:
            self._storage.pop(_TOKEN_KEY, None)
            return None
        return self._refreshed(token, stored) if token.has_expired() else token.access_token

    def credentials(self) -> str | None:
        """`user_token` by the name that older documents call it."""
        return self.user_token()

    def _provider(self) -> Provider:
        from fixieai.agents import oauth_provider  # noqa: PLC0415 - start-up: agents without OAuth need none

        return oauth_provider.Provider(self._params, self._redirect_uri)

    def _take_flow(self, state: str) -> str | None:
        """The verifier of a flow, None for one that an original SDK began. A flow is good once."""
        stored = self._storage.get(_STATE_KEY)
        if not isinstance(stored, str) or not hmac.compare_digest(stored.encode(), state.encode()):
            raise ValueError("the state is not the one that was given to this user")
        flow = self._storage.pop(_FLOW_KEY, None)
        try:
            del self._storage[_STATE_KEY]  # before the exchange: of two at once, one goes on
        except KeyError as error:
            raise ValueError("this authorization was used before") from error
        if not isinstance(flow, dict):
            return None
        expires = flow.get("expires")
        if not isinstance(expires, (int, float)) or time.time() > expires:
            raise ValueError("this authorization took too long; ask for a new link")
        return str(flow.get("code_verifier"))

    def _refreshed(self, token: _Token, stored: object) -> str | None:
        if token.refresh_token is None:
            return None
        with _RENEWALS[hash(token.refresh_token) % len(_RENEWALS)]:
            return self._token_renewed_elsewhere(stored) or self._renew(token.refresh_token, stored)

    def _renew(self, refresh_token: str, stored: object) -> str | None:
        try:
            granted = self._provider().renew(refresh_token)
        except OAuthError as error:
            if error.error_code not in _NO_LONGER:
                raise
            return self._token_being_renewed_elsewhere(stored)
        renewed = _token(granted, refresh_token)
        self._storage[_TOKEN_KEY] = renewed.to_json()
        return renewed.access_token

    def _token_being_renewed_elsewhere(self, stored: object) -> str | None:
        """Another process may have used the refresh token, and not have stored what it got for it yet."""
        for seconds in _SECONDS_UNTIL_STORED:
            if (token := self._token_renewed_elsewhere(stored)) is not None:
                return token
            time.sleep(seconds)
        return self._token_renewed_elsewhere(stored)

    def _token_renewed_elsewhere(self, stored: object) -> str | None:
        """What another query, maybe in another process, has got meanwhile."""
        present = self._storage.get(_TOKEN_KEY)
        token = None if present == stored else _parse_token(present)
        return None if token is None else token.access_token


def _redirect_uri(token_claims: VerifiedTokenClaims) -> str:
    """Where people's browsers reach the platform; agents beside it may have a shorter way of their own."""
    return f"{(os.environ.get('FIXIE_PUBLIC_URL') or token_claims.api_url).rstrip('/')}/oauth"


def _token(granted: Mapping[str, Any], refresh_token: str | None) -> _Token:
    """`refresh_token` is the present one, which stays when the provider gives no other."""
    expires_in = granted.get("expires_in")
    expiry = None if expires_in is None else datetime.now(UTC) + _bounded(expires_in)
    renewed = granted.get("refresh_token")
    return _Token(granted["access_token"], expiry, renewed if isinstance(renewed, str) else refresh_token)


def finish_authorization(query: Message, oauth_handler: OAuthHandler) -> str:
    """The func `_oauth`: the user came back, the text is JSON `{"state", "code"}`.

    Raises:
        AgentException: it is not (400), or no token came of it (400, 502).
    """
    try:
        answer = json.loads(query.text)
        oauth_handler.authorize(str(answer["state"]), str(answer["code"]))
    except errors.UpstreamError as error:  # the provider, or the platform that keeps the token
        raise _failed(str(error), HTTPStatus.BAD_GATEWAY) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _failed(f"The authorization cannot be used: {error}", HTTPStatus.BAD_REQUEST) from error
    return "Authorization successful!"


def _failed(message: str, status: HTTPStatus) -> AgentException:
    return AgentException(
        "The authorization did not work. Please ask for a new link.", "ERR_OAUTH_FAILED", message, status
    )


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, _LONGEST.total_seconds()))
