"""Query tokens: who asks an agent, as the platform signed it.

What a token says is only believed after its signature, and the checks are ours where the
library leaves a choice: Ed25519 alone, no critical extensions, `exp`, `aud` and `aid` required.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fixieai import constants, errors
from fixieai.agents.jwks import JwksClient, KeysUnavailable

__all__ = ["JwksClient", "KeysUnavailable", "VerifiedTokenClaims", "would_fetch"]

LEEWAY_SECONDS = 60
_MAXIMUM_TOKEN = 8192
_OPTIONS: Any = {"require": ["exp", "aud", "aid"]}
_logger = logging.getLogger("fixieai.agents")


class _HasKey(Protocol):
    @property
    def key(self) -> Any: ...


class KeySource(Protocol):
    """Where the platform's keys come from: `JwksClient`, or PyJWT's `PyJWKClient`."""

    def get_signing_key_from_jwt(self, token: str) -> _HasKey: ...


@dataclass
class VerifiedTokenClaims:
    """Who asks: the agent that the token was made for, and whether there is a user behind it.

    `token` goes with every request that the agent makes on the user's behalf, to the platform at
    `api_url`, which is the one whose keys verified it.
    """

    agent_id: str
    is_anonymous: bool
    token: str
    api_url: str = constants.FIXIE_API_URL

    @staticmethod
    def from_token(
        token: str, jwks_client: KeySource, expected_agent_id: str | None
    ) -> VerifiedTokenClaims | None:
        """The claims of a valid token, or None for any other. Blocks when `would_fetch`.

        Args:
            expected_agent_id: `owner/handle`; None accepts a token for any agent.

        Raises:
            KeysUnavailable: the platform's keys cannot be fetched, so nothing can be said.
        """
        claims = _cached_claims(token, jwks_client) or _verify(token, jwks_client)
        if claims is not None and expected_agent_id not in (None, claims.agent_id):
            _logger.warning("refused a token for %r: this agent is %r", claims.agent_id, expected_agent_id)
            return None
        return claims


def would_fetch(token: str, jwks_client: object) -> bool:
    """Whether `from_token` with these would go to the network, and so block its thread."""
    return not isinstance(jwks_client, JwksClient) or (
        len(token) <= _MAXIMUM_TOKEN and jwks_client.would_fetch(token)
    )


def _cached_claims(token: str, jwks_client: KeySource) -> VerifiedTokenClaims | None:
    if not isinstance(jwks_client, JwksClient):
        return None
    claims: VerifiedTokenClaims | None = jwks_client.verified_claims(token)
    return claims


def _verify(token: str, jwks_client: KeySource) -> VerifiedTokenClaims | None:
    try:
        payload = _payload(token, jwks_client)
        claims = _claims(payload, token, getattr(jwks_client, "api_url", constants.FIXIE_API_URL))
    except KeysUnavailable:
        raise
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        _logger.warning(
            "refused a token: %s. If this happens to every token, the clock of this machine and that of "
            "the platform differ by more than %d seconds",
            error,
            LEEWAY_SECONDS,
        )
        return None
    except Exception as error:  # noqa: BLE001 - a token may make any part of the libraries fail
        _logger.info("refused a token: %s", type(error).__name__)
        return None
    if isinstance(jwks_client, JwksClient):
        jwks_client.remember(token, float(payload["exp"]), claims)
    return claims


def _payload(token: str, jwks_client: KeySource) -> dict[str, Any]:
    """Raises PyJWTError, FixieError, or whatever a library makes of a token that is none."""
    if len(token) > _MAXIMUM_TOKEN:
        raise jwt.InvalidTokenError("the token is too large")
    header = jwt.get_unverified_header(token)
    if header.get("alg") != "EdDSA" or "crit" in header or "b64" in header:
        raise jwt.InvalidTokenError("the header asks for something else than EdDSA")
    key = jwks_client.get_signing_key_from_jwt(token).key
    if not isinstance(key, Ed25519PublicKey):
        raise jwt.InvalidKeyError("the key is not an Ed25519 key")
    payload: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=constants.FIXIE_AGENT_API_AUDIENCES,
        leeway=LEEWAY_SECONDS,
        options=_OPTIONS,
    )
    return payload


def _claims(payload: dict[str, Any], token: str, api_url: str) -> VerifiedTokenClaims:
    agent_id = payload["aid"]
    if not isinstance(agent_id, str) or not agent_id:
        raise errors.Forbidden("aid must be a text")
    if not isinstance(payload["exp"], (int, float)) or isinstance(payload["exp"], bool):
        raise errors.Forbidden("exp must be a number")
    if "sub" in payload and not (isinstance(payload["sub"], str) and payload["sub"]):
        raise errors.Forbidden("sub must be a text that is not empty")
    return VerifiedTokenClaims(agent_id, "sub" not in payload, token, api_url)
