"""The platform's public keys, fetched when they are needed and kept.

PyJWT's own client refuses a new key for up to 30 seconds, forgets all keys when a fetch fails,
and follows wherever the environment's proxy settings lead. This one

* does nothing at construction;
* fetches when it has no keys, when they are older than 5 minutes, or for a key id that it does
  not know, but then not more often than every 5 seconds, whatever tokens arrive;
* has one fetch at a time, outside its lock: others that need its result wait for it, those
  whose key is known do not;
* goes on with the last good keys for an hour when fetching fails.
"""

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fixieai import constants, errors

FRESH_SECONDS = 300.0
STALE_SECONDS = 3600.0
COOL_DOWN_SECONDS = 5.0
_RETRY_SECONDS = 1.0
# Between the question whether verifying would fetch and the verifying, which then blocks an event loop.
_A_MOMENT = 0.5
_MAXIMUM_KID = 200
_MAXIMUM_BYTES = 256 * 1024
_VERIFIED_TOKENS = 4096
_JWKS_PATH = "/.well-known/jwks.json"


class KeysUnavailable(errors.ServiceUnavailable):
    """The platform's signing keys cannot be fetched right now."""


class UnknownKey(errors.Forbidden):
    """The token is signed with a key that is not the platform's."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, under the attribute by which PyJWT's client hands it out."""

    key: Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class _KeySet:
    """Keys by their id. Times are of `time.monotonic()`; `fetched` is of the last success."""

    keys: Mapping[str, SigningKey] = field(default_factory=dict)
    fetched: float = -STALE_SECONDS
    next_fetch: float = -STALE_SECONDS

    def is_fresh(self, ahead: float = 0.0) -> bool:
        """Now, or so many seconds from now."""
        return time.monotonic() + ahead - self.fetched < FRESH_SECONDS

    def usable(self, kid: str, ahead: float = 0.0) -> SigningKey | None:
        return self.keys.get(kid) if time.monotonic() + ahead - self.fetched < STALE_SECONDS else None


class JwksClient:
    """Keys of one platform, and the claims of tokens that were verified with them. Thread-safe."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._key_set = _KeySet()
        self._flight: Future[_KeySet] | None = None
        self._verified: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    @property
    def api_url(self) -> str:
        """The platform whose keys these are: the configured one, unless the URL says another."""
        at_platform = self.url.endswith(_JWKS_PATH)
        return self.url.removesuffix(_JWKS_PATH) if at_platform else constants.FIXIE_API_URL

    def get_signing_key_from_jwt(self, token: str) -> SigningKey:
        """The key that a token says it is signed with. Blocks when `would_fetch(token)`.

        Raises:
            jwt.PyJWTError: the token cannot be read, or names no key.
            UnknownKey: the platform has no such key.
            KeysUnavailable: that cannot be said, because fetching failed.
        """
        kid = key_id(token)
        key_set = self._key_set
        if self._must_fetch(kid):
            key_set = self._fetched(kid)
        key = key_set.usable(kid)
        if key is not None:
            return key
        if key_set.is_fresh():
            raise UnknownKey
        raise KeysUnavailable

    def would_fetch(self, token: str) -> bool:
        """Whether verifying this token goes to the network, now or a moment later."""
        if self.verified_claims(token, _A_MOMENT) is not None:
            return False
        try:
            return self._must_fetch(key_id(token), _A_MOMENT)
        except jwt.PyJWTError:
            return False

    def verified_claims(self, token: str, ahead: float = 0.0) -> Any | None:
        """What `remember` was given with this token, until the token expires, or `ahead` seconds before."""
        found = self._verified.get(token)
        if found is None:
            return None
        return found[1] if time.time() + ahead < found[0] else None

    def remember(self, token: str, expires: float, claims: Any) -> None:
        """Keeps what a verified token says until `expires` (Unix time), for the latest 4,096 tokens."""
        with self._lock:
            self._verified[token] = (expires, claims)
            while len(self._verified) > _VERIFIED_TOKENS:
                self._verified.popitem(last=False)

    def _must_fetch(self, kid: str, ahead: float = 0.0) -> bool:
        key_set = self._key_set
        if key_set.is_fresh(ahead) and kid in key_set.keys:
            return False
        if self._flight is not None:
            return key_set.usable(kid, ahead) is None
        return time.monotonic() + ahead >= key_set.next_fetch

    def _fetched(self, kid: str) -> _KeySet:
        """The key set after a fetch: this thread's, or the one that is under way."""
        with self._lock:
            if not self._must_fetch(kid):
                return self._key_set
            flight = self._flight
            is_ours = flight is None
            if flight is None:
                flight = self._flight = Future()
        if is_ours:
            self._fly(flight)
        return flight.result()

    def _fly(self, flight: Future[_KeySet]) -> None:
        key_set = self._key_set
        try:
            keys = _fetch(self.url)
            now = time.monotonic()
            key_set = _KeySet(keys, now, now + COOL_DOWN_SECONDS)
        except (OSError, ValueError):
            key_set = _KeySet(key_set.keys, key_set.fetched, time.monotonic() + _RETRY_SECONDS)
        finally:
            with self._lock:
                self._key_set = key_set
                self._flight = None
            flight.set_result(key_set)


def key_id(token: str) -> str:
    """The `kid` of a token that nothing else is known of.

    Raises:
        jwt.PyJWTError: the token cannot be read, or has no usable `kid`.
    """
    kid = jwt.get_unverified_header(token).get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAXIMUM_KID:
        raise jwt.InvalidTokenError("the token names no key")
    return kid


def _fetch(url: str) -> dict[str, SigningKey]:
    """Raises OSError or ValueError: there is no answer, or it is no JWKS."""
    from fixieai.agents import outgoing  # noqa: PLC0415 - start-up: who only makes an agent sends nothing

    answer = outgoing.send(outgoing.Call("GET", url, maximum_bytes=_MAXIMUM_BYTES))
    if not answer.is_success:
        raise ValueError(f"{url} answered with status {answer.status}")
    return _parse(answer.json())


def _parse(document: Any) -> dict[str, SigningKey]:
    """The Ed25519 keys of a JWKS; others, and those that cannot be read, are left out.

    Raises:
        ValueError: it is no JWKS.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the platform's key document is not a JWKS")  # noqa: TRY004 - it is data
    keys = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str):
            key = _parse_key(entry)
            if key is not None:
                keys[entry["kid"]] = key
    return keys


def _parse_key(entry: Mapping[str, Any]) -> SigningKey | None:
    if (entry.get("kty"), entry.get("crv")) != ("OKP", "Ed25519"):
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", "EdDSA") not in ("EdDSA", "Ed25519"):
        return None
    try:
        raw = base64.urlsafe_b64decode(entry["x"] + "==")
        return SigningKey(Ed25519PublicKey.from_public_bytes(raw))
    except (KeyError, TypeError, ValueError):
        return None
