"""One OAuth provider, through google-auth-oauthlib. Importing this module costs 0.1 s.

That library makes links with PKCE and requests for tokens, and reads the answers. Three of its
habits are not ours:

* it sends without limits of time and size: here its session sends through `outgoing`;
* it refuses `http` addresses: here the author decides, who may have a provider on this machine;
* it logs secrets and tokens at the level DEBUG: here its log begins at INFO.
"""

import io
import logging
from collections.abc import Callable
from typing import Any

import requests
from google_auth_oauthlib.flow import Flow
from oauthlib import oauth2
from requests_oauthlib import OAuth2Session

from fixieai.agents import outgoing
from fixieai.agents.oauth_params import OAuthError, OAuthParams

logging.getLogger("requests_oauthlib").setLevel(logging.INFO)


class Provider:
    """Where the users of an agent say yes, and where its tokens are.

    `redirect_uri` is where users come back to.
    """

    def __init__(self, params: OAuthParams, redirect_uri: str) -> None:
        self._params = params
        self._redirect_uri = redirect_uri

    def link(self, state: str) -> tuple[str, str]:
        """The page where a user says yes, and the PKCE verifier that belongs to it.

        Raises:
            ValueError: `auth_uri` is no http or https address.
        """
        flow = self._flow(_Session(self._params, self._params.scopes))
        try:
            url, _ = flow.authorization_url(state=state)
        except oauth2.OAuth2Error as error:
            raise ValueError(
                "auth_uri must be an address that begins with https:// (or http://, on this machine)"
            ) from error
        scheme = self._params.auth_uri.partition("://")[0]
        return scheme + url.removeprefix("https"), flow.code_verifier

    def exchange(self, code: str, code_verifier: str | None) -> dict[str, Any]:
        """What a user granted, for the code they came back with: `access_token` and more (see `_granted`).

        Raises:
            OAuthError: the provider gave no token.
        """
        # Without scopes to compare with: a user may grant less, and many providers do not say.
        session = _Session(self._params, None)
        flow = self._flow(session, code_verifier)
        return _granted(session, lambda: flow.fetch_token(code=code, include_client_id=True))

    def renew(self, refresh_token: str) -> dict[str, Any]:
        """What a refresh token is good for: a new access token, and maybe another refresh token.

        Raises:
            OAuthError: the provider gave no token.
        """
        session = _Session(self._params, None)
        client = {"client_id": self._params.client_id, "client_secret": self._params.client_secret}
        place = _as_https(self._params.token_uri)
        return _granted(session, lambda: session.refresh_token(place, refresh_token, **client))

    def _flow(self, session: "_Session", code_verifier: str | None = None) -> Flow:
        places = {
            "client_secret": self._params.client_secret,
            "auth_uri": _as_https(self._params.auth_uri),
            "token_uri": _as_https(self._params.token_uri),
        }
        return Flow(session, "web", {"web": places}, self._redirect_uri, code_verifier)


class _Session(OAuth2Session):  # type: ignore[misc] # without types
    """The library's session, sending as all of this package does, and to the token address alone."""

    def __init__(self, params: OAuthParams, scopes: list[str] | None) -> None:
        super().__init__(params.client_id, scope=scopes)
        self._token_uri = params.token_uri
        self.is_success = False

    def request(self, method: str, url: str, data: dict[str, str], **_: object) -> requests.Response:
        """Raises OAuthError when the provider cannot be reached, or answers as a server that is broken."""
        try:
            answer = outgoing.send(outgoing.Call(method, self._token_uri, form=data))
        except (requests.RequestException, ValueError) as error:
            raise OAuthError(f"The OAuth provider could not be reached ({type(error).__name__}).") from error
        if answer.status >= 500:
            raise OAuthError(f"The OAuth provider answered with status {answer.status}.")
        self.is_success = answer.is_success
        return _as_response(answer)


def _as_response(answer: outgoing.Answer) -> requests.Response:
    response = requests.Response()
    response.request = requests.PreparedRequest()
    response.status_code = answer.status
    response.encoding = "utf-8"
    response.raw = io.BytesIO(answer.content)
    return response


def _as_https(uri: str) -> str:
    """The address in the form that the library takes. Where to really go, `_Session` and `link` know."""
    scheme, _, rest = uri.partition("://")
    return f"https://{rest}" if scheme.lower() == "http" else uri


def _granted(session: _Session, fetch: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a provider granted; `access_token` is a text, `expires_in` a whole number or absent.

    Flow.credentials would need an `expires_in`, which some providers do not send.

    Raises:
        OAuthError: it granted nothing, or what it answered cannot be read.
    """
    try:
        granted = fetch()
    except OAuthError:
        raise
    except oauth2.OAuth2Error as error:
        raise OAuthError(f"The OAuth provider refused: {str(error)[:200]}", str(error.error)) from error
    except Exception as error:
        raise OAuthError("The answer of the OAuth provider cannot be read.") from error
    if not session.is_success or not isinstance(granted.get("access_token"), str):
        raise OAuthError("The OAuth provider gave no token.")
    return dict(granted)
