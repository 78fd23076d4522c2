"""OAuth 2: an agent gets a user's permission at another service, and keeps the token for it.

    handler.user_token()              None: the user has not said yes yet (or no longer)
    handler.get_authorization_url()   give this link to the user; it holds a `state`
    POST /_oauth {"state", "code"}    the platform, when the user comes back: handler.authorize
    handler.user_token()              the access token, renewed when it has run out

Everything is kept in the user's storage for this agent: `_oauth_state` (the platform finds the
user by it) and `_oauth_flow` while the user is away, `_oauth_token` afterwards.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import pathlib
import secrets
import time
import urllib.parse
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import requests

from fixieai import constants, errors
from fixieai.agents import outgoing
from fixieai.agents.exceptions import AgentException
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.messages import Message

_STATE_KEY = "_oauth_state"
_FLOW_KEY = "_oauth_flow"
_TOKEN_KEY = "_oauth_token"  # noqa: S105 - the name under which it is kept
_FLOW_SECONDS = 600
_EARLY = timedelta(seconds=30)
_LONGEST = timedelta(days=3650)
_NO_LONGER = ("invalid_grant", "bad_refresh_token")
_FIELDS = ("client_id", "client_secret", "auth_uri", "token_uri")


class OAuthError(errors.UpstreamError):
    """The OAuth provider did not give a token."""

    def __init__(self, message: str | None = None, error_code: str = "") -> None:
        """`error_code` is the provider's, as in `invalid_grant`; "" when it gave none."""
        super().__init__(message)
        self.error_code = error_code


@dataclass
class OAuthParams:
    """A client registered at an OAuth provider: where users say yes, where tokens are, what is asked for."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_uri: str
    token_uri: str
    scopes: list[str]

    @classmethod
    def from_client_secrets_file(cls, path: str | pathlib.Path, scopes: list[str]) -> OAuthParams:
        """The client of a `client_secrets.json` file as Google's console hands it out.

        Raises:
            OSError: the file cannot be read.
            ValueError: it does not hold a `web` or `installed` client with all that is needed.
        """
        content = json.loads(pathlib.Path(path).read_text("utf-8"))
        clients = content if isinstance(content, dict) else {}
        client = clients.get("web") or clients.get("installed") or {}
        fields: dict[str, Any] = {}
        if isinstance(client, dict):
            fields = {name: client.get(name) for name in _FIELDS}
        if not fields or not all(isinstance(value, str) for value in fields.values()):
            raise ValueError(f'{path} must hold a client, "web" or "installed", with {", ".join(_FIELDS)}')
        return cls(**fields, scopes=scopes)


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
        self._storage = UserStorage(token_claims)

    def get_authorization_url(self) -> str:
        """The page of the provider where the user says yes. It is good for one use, within 10 minutes.

        Raises:
            UserStorageError: what is needed afterwards could not be kept.
        """
        state = f"{self._agent_id}:{secrets.token_urlsafe()}"
        code_verifier = secrets.token_urlsafe(48)
        self._storage[_FLOW_KEY] = {"code_verifier": code_verifier, "expires": time.time() + _FLOW_SECONDS}
        self._storage[_STATE_KEY] = state
        query = {
            "response_type": "code",
            "access_type": "offline",
            "client_id": self._params.client_id,
            "scope": " ".join(self._params.scopes),
            "state": state,
            "redirect_uri": constants.FIXIE_OAUTH_REDIRECT_URL,
            "code_challenge": _code_challenge(code_verifier),
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in self._params.auth_uri else "?"
        return f"{self._params.auth_uri}{separator}{urllib.parse.urlencode(query)}"

    def authorize(self, state: str, code: str) -> None:
        """Trades the code that the user came back with for a token, and keeps that.

        Raises:
            ValueError: the state is not that of the link given to this user last, or that link was
                used before or is too old.
            OAuthError: the provider gave no token.
        """
        code_verifier = self._take_flow(state)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": constants.FIXIE_OAUTH_REDIRECT_URL,
        }
        if code_verifier is not None:
            form["code_verifier"] = code_verifier
        self._storage[_TOKEN_KEY] = self._fetch_token(form, None).to_json()

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
        form = {"grant_type": "refresh_token", "refresh_token": token.refresh_token}
        try:
            renewed = self._fetch_token(form, token.refresh_token)
        except OAuthError as error:
            if error.error_code not in _NO_LONGER:
                raise
            return self._token_renewed_elsewhere(stored)
        self._storage[_TOKEN_KEY] = renewed.to_json()
        return renewed.access_token

    def _token_renewed_elsewhere(self, stored: object) -> str | None:
        """Providers that give a new refresh token each time refuse the second of two requests at once."""
        present = self._storage.get(_TOKEN_KEY)
        token = None if present == stored else _parse_token(present)
        return None if token is None else token.access_token

    def _fetch_token(self, form: dict[str, str], refresh_token: str | None) -> _Token:
        """`refresh_token` is the present one, which stays when the provider gives no other.

        Raises:
            OAuthError: the provider gave no token.
        """
        client = {"client_id": self._params.client_id, "client_secret": self._params.client_secret}
        try:
            answer = outgoing.send(outgoing.Call("POST", self._params.token_uri, form=form | client))
        except (requests.RequestException, ValueError) as error:
            raise OAuthError(f"The OAuth provider could not be reached ({type(error).__name__}).") from error
        granted = _parse_answer(answer)
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
    except OAuthError as error:
        raise _failed(str(error), HTTPStatus.BAD_GATEWAY) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _failed(f"The authorization cannot be used: {error}", HTTPStatus.BAD_REQUEST) from error
    return "Authorization successful!"


def _failed(message: str, status: HTTPStatus) -> AgentException:
    return AgentException(
        "The authorization did not work. Please ask for a new link.", "ERR_OAUTH_FAILED", message, status
    )


def _code_challenge(code_verifier: str) -> str:
    digest = hashlib.sha256(code_verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, _LONGEST.total_seconds()))


def _parse_answer(answer: outgoing.Answer) -> dict[str, Any]:
    """What a provider granted; `access_token` is a text, `expires_in` a number or absent.

    Raises:
        OAuthError: it granted nothing, or what it answered cannot be read.
    """
    from oauthlib import oauth2  # noqa: PLC0415 - start-up: agents without OAuth need none of it

    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise OAuthError(f"The OAuth provider answered with status {answer.status}.")
    try:
        # Without a scope to compare with: a user may grant less, and many providers do not say.
        granted = oauth2.WebApplicationClient("").parse_request_body_response(
            answer.content.decode("utf-8"), scope=None
        )
    except oauth2.OAuth2Error as error:
        raise OAuthError(f"The OAuth provider refused: {str(error)[:200]}", str(error.error)) from error
    except Exception as error:
        raise OAuthError("The answer of the OAuth provider cannot be read.") from error
    if not answer.is_success or not isinstance(granted.get("access_token"), str):
        raise OAuthError(f"The OAuth provider gave no token (status {answer.status}).")
    return dict(granted)
