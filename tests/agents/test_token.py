"""Query tokens and the platform's keys, with real signatures over real HTTP."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fixieai.agents import jwks, token
from fixieai.agents.token import JwksClient, KeysUnavailable, VerifiedTokenClaims


@pytest.fixture
def client(key_server: Any) -> JwksClient:
    return JwksClient(key_server.url)


def verify(text: str, client: Any, agent_id: str | None = None) -> VerifiedTokenClaims | None:
    return VerifiedTokenClaims.from_token(text, client, agent_id)


def test_a_valid_token_tells_who_asks(key_server: Any, client: JwksClient) -> None:
    text = key_server.token()
    assert verify(text, client, "owner/agent") == VerifiedTokenClaims("owner/agent", False, text)


def test_a_token_without_a_user_is_anonymous(key_server: Any, client: JwksClient) -> None:
    claims = verify(key_server.token(sub=None), client)
    assert claims is not None
    assert claims.is_anonymous


@pytest.mark.parametrize(
    "aud",
    ["https://app.dev.fixie.ai/api", ["https://other.example", "https://app.fixie.ai/api"]],
)
def test_the_audience_is_one_of_two(key_server: Any, client: JwksClient, aud: Any) -> None:
    assert verify(key_server.token(aud=aud), client) is not None


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_clocks_may_differ_by_less_than_a_minute(key_server: Any, client: JwksClient, claim: str) -> None:
    skew = -50 if claim == "exp" else 50
    assert verify(key_server.token(**{claim: int(time.time()) + skew}), client) is not None


def _in_an_hour() -> int:
    return int(time.time()) + 3600


_SQL = "' OR 1=1; DROP TABLE keys; --"
REFUSED: dict[str, Callable[[Any], str]] = {
    "empty": lambda _keys: "",
    "not a token": lambda _keys: "nonsense",
    "three dots of nothing": lambda _keys: "..",
    "not base64": lambda _keys: "a.b.c",
    "not ASCII": lambda keys: keys.token() + "\xe9",
    "huge": lambda keys: keys.token(padding="x" * 20_000),
    "huge nonsense": lambda _keys: "x" * 100_000,
    "nested header": lambda keys: keys.sign({}, "").replace("e30", "W1tb" * 2000),
    "header is a list": lambda keys: f"W10.{keys.token().split('.', 1)[1]}",
    "alg none without signature": lambda keys: keys.token(headers={"alg": "none"}).rsplit(".", 1)[0] + ".",
    "alg none": lambda keys: keys.token(headers={"alg": "none"}),
    "alg NONE": lambda keys: keys.token(headers={"alg": "NONE"}),
    "alg missing": lambda keys: keys.sign({"kid": "first"}, "{}"),
    "alg RS256": lambda keys: keys.token(headers={"alg": "RS256"}),
    "alg is a list": lambda keys: keys.token(headers={"alg": ["EdDSA"]}),
    "HS256 with the raw public key": lambda keys: keys.symmetric_token(
        keys.keys["first"].public_key().public_bytes_raw()
    ),
    "HS256 with the public key as PEM": lambda keys: keys.symmetric_token(
        keys.keys["first"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    ),
    "signature of another": lambda keys: keys.token()[:-20] + "A" * 20,
    "signature missing": lambda keys: keys.token().rsplit(".", 1)[0] + ".",
    "payload of another": lambda keys: ".".join(
        [
            *keys.token(sub="mallory").split(".")[:2],
            keys.token().split(".")[2],
        ]
    ),
    "kid unknown": lambda keys: keys.token(headers={"kid": "other"}),
    "kid missing": lambda keys: keys.sign({"alg": "EdDSA"}, "{}"),
    "kid empty": lambda keys: keys.token(headers={"kid": ""}),
    "kid a number": lambda keys: keys.token(headers={"kid": 1}),
    "kid null": lambda keys: keys.token(headers={"kid": None}),
    "kid a path": lambda keys: keys.token(headers={"kid": "../../../etc/passwd"}),
    "kid a URL": lambda keys: keys.token(headers={"kid": "http://127.0.0.1:1/jwks.json"}),
    "kid SQL": lambda keys: keys.token(headers={"kid": _SQL}),
    "kid long": lambda keys: keys.token(headers={"kid": "k" * 201}),
    "crit": lambda keys: keys.token(headers={"crit": ["exp"]}),
    "crit empty": lambda keys: keys.token(headers={"crit": []}),
    "b64": lambda keys: keys.token(headers={"b64": False, "crit": ["b64"]}),
    "exp missing": lambda keys: keys.token(exp=None),
    "exp past": lambda keys: keys.token(exp=int(time.time()) - 61),
    "exp text": lambda keys: keys.token(exp=str(_in_an_hour())),
    "exp true": lambda keys: keys.token(exp=True),
    "exp infinite": lambda keys: keys.token(exp=float("inf")),
    "exp not a number": lambda keys: keys.token(exp=float("nan")),
    "exp a list": lambda keys: keys.token(exp=[_in_an_hour()]),
    "nbf in the future": lambda keys: keys.token(nbf=_in_an_hour()),
    "iat in the future": lambda keys: keys.token(iat=_in_an_hour()),
    "iat text": lambda keys: keys.token(iat="now"),
    "aud missing": lambda keys: keys.token(aud=None),
    "aud of another": lambda keys: keys.token(aud="https://evil.example"),
    "aud empty": lambda keys: keys.token(aud=[]),
    "aud a number": lambda keys: keys.token(aud=[1]),
    "aid missing": lambda keys: keys.token(aid=None),
    "aid empty": lambda keys: keys.token(aid=""),
    "aid a number": lambda keys: keys.token(aid=1),
    "aid of another agent": lambda keys: keys.token(aid="owner/other"),
    "aid in other letters": lambda keys: keys.token(aid="Owner/agent"),
    "sub a number": lambda keys: keys.token(sub=1),
    "sub empty": lambda keys: keys.token(sub=""),
    "sub a mapping": lambda keys: keys.token(sub={"id": 1}),
    "payload a list": lambda keys: keys.sign({"alg": "EdDSA", "kid": "first"}, "[]"),
    "payload not JSON": lambda keys: keys.sign({"alg": "EdDSA", "kid": "first"}, "no"),
    "payload nested": lambda keys: keys.sign({"alg": "EdDSA", "kid": "first"}, "[" * 2500 + "]" * 2500),
}


@pytest.mark.parametrize("what", REFUSED)
def test_every_other_token_is_refused(key_server: Any, client: JwksClient, what: str) -> None:
    assert verify(REFUSED[what](key_server), client, "owner/agent") is None
    assert set(key_server.requests) <= {"/jwks.json"}


def test_sub_null_is_not_anonymous_but_refused(key_server: Any, client: JwksClient) -> None:
    claims = jwt.decode(key_server.token(), options={"verify_signature": False}) | {"sub": None}
    text = key_server.sign({"alg": "EdDSA", "kid": "first"}, json.dumps(claims))
    assert verify(text, client) is None


@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_a_key_address_in_the_token_is_not_followed(key_server: Any, client: JwksClient, name: str) -> None:
    address = key_server.url.replace("jwks.json", "evil.json")
    assert verify(key_server.token(headers={name: address}), client) is not None
    assert key_server.requests == ["/jwks.json"]


@pytest.mark.parametrize("changes", [{"exp": -61}, {"iat": 3600}, {"nbf": 3600}])
def test_a_difference_of_clocks_is_named_in_the_log(
    key_server: Any, client: JwksClient, changes: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    moved = {name: int(time.time()) + seconds for name, seconds in changes.items()}
    with caplog.at_level(logging.WARNING, "fixieai.agents"):
        assert verify(key_server.token(**moved), client) is None
    assert "clock" in caplog.text


def test_no_token_is_written_to_the_log(
    key_server: Any, client: JwksClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "fixieai"):
        texts = [make(key_server) for make in REFUSED.values()]
        for text in texts:
            verify(text, client, "owner/agent")
    assert not any(text in caplog.text for text in texts if len(text) > 20)


def test_a_verified_token_needs_no_keys_until_it_expires(key_server: Any, client: JwksClient) -> None:
    text = key_server.token()
    claims = verify(text, client)
    key_server.stop()
    client._key_set = jwks._KeySet()
    assert not token.would_fetch(text, client)
    assert verify(text, client) is claims
    assert verify(text, client, "owner/other") is None


def test_a_verified_token_is_forgotten_when_it_expires(key_server: Any, client: JwksClient) -> None:
    text = key_server.token(exp=int(time.time()) - 5)
    assert verify(text, client) is not None  # within the leeway
    assert client.verified_claims(text) is None


def test_only_so_many_verified_tokens_are_kept(client: JwksClient) -> None:
    for number in range(5000):
        client.remember(f"token {number}", time.time() + 60, number)
    assert client.verified_claims("token 0") is None
    assert client.verified_claims("token 4999") == 4999
    assert len(client._verified) == 4096


def test_pyjwts_own_client_will_do(key_server: Any) -> None:
    client = jwt.PyJWKClient(key_server.url)
    assert verify(key_server.token(), client) is not None
    assert verify(key_server.token(headers={"kid": "other"}), client) is None
    assert token.would_fetch(key_server.token(), client)


def test_nothing_is_fetched_before_it_is_needed(key_server: Any) -> None:
    client = JwksClient(key_server.url)
    assert verify("nonsense", client) is None
    assert not token.would_fetch("nonsense", client)
    assert token.would_fetch(key_server.token(), client)
    assert key_server.requests == []


def test_many_at_once_are_one_fetch(key_server: Any, client: JwksClient) -> None:
    key_server.pause = 0.2
    texts = [key_server.token(sub=str(number)) for number in range(20)]
    found: list[VerifiedTokenClaims | None] = []
    threads = [
        threading.Thread(target=lambda text=text: found.append(verify(text, client))) for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert None not in found
    assert len(key_server.requests) == 1


def test_a_new_key_is_known_at_its_first_token(
    key_server: Any, client: JwksClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "COOL_DOWN_SECONDS", 0.0)
    assert verify(key_server.token(), client) is not None
    key_server.keys["second"] = Ed25519PrivateKey.generate()
    assert verify(key_server.token("second"), client) is not None
    assert len(key_server.requests) == 2


def test_made_up_key_ids_cause_one_fetch_per_cool_down(key_server: Any, client: JwksClient) -> None:
    for number in range(50):
        assert verify(key_server.token(headers={"kid": f"made up {number}"}), client) is None
    assert len(key_server.requests) == 1


def test_while_new_keys_are_fetched_known_ones_are_not_held_up(
    key_server: Any, client: JwksClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "COOL_DOWN_SECONDS", 0.0)
    verify(key_server.token(), client)
    key_server.may_answer.clear()
    unknown = key_server.token(headers={"kid": "made up"})
    waiting = threading.Thread(target=verify, args=(unknown, client))
    waiting.start()
    while len(key_server.requests) < 2:
        time.sleep(0.01)
    text = key_server.token(sub="another")
    assert not token.would_fetch(text, client)
    assert verify(text, client) is not None
    assert waiting.is_alive()
    key_server.may_answer.set()
    waiting.join()


@pytest.mark.parametrize(
    "answer",
    [
        (503, b""),
        (404, b"{}"),
        (302, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"keys": {}}'),
        (200, b"[" * 100_000),
        (200, b" " * 300_000),
    ],
)
def test_keys_are_kept_when_fetching_fails(
    key_server: Any, client: JwksClient, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes]
) -> None:
    verify(key_server.token(), client)
    monkeypatch.setattr(jwks, "FRESH_SECONDS", 0.0)
    client._key_set = jwks._KeySet(client._key_set.keys, client._key_set.fetched)
    key_server.answer = answer
    assert verify(key_server.token(sub="another"), client) is not None
    assert key_server.requests == ["/jwks.json", "/jwks.json"]


def test_without_keys_nothing_can_be_said(key_server: Any, client: JwksClient) -> None:
    text = key_server.token()
    key_server.stop()
    with pytest.raises(KeysUnavailable):
        verify(text, client)


def test_keys_that_were_not_confirmed_for_an_hour_are_no_keys(
    key_server: Any, client: JwksClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify(key_server.token(), client)
    key_server.answer = (503, b"")
    monkeypatch.setattr(jwks, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(jwks, "STALE_SECONDS", 0.0)
    with pytest.raises(KeysUnavailable):
        verify(key_server.token(sub="another"), client)


def test_a_key_that_was_taken_back_is_refused(
    key_server: Any, client: JwksClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify(key_server.token(), client)
    text = key_server.token(sub="another")
    key_server.keys = {"second": Ed25519PrivateKey.generate()}
    client._key_set = jwks._KeySet(client._key_set.keys, client._key_set.fetched - jwks.FRESH_SECONDS)
    assert verify(text, client) is None


@pytest.mark.parametrize("seconds_left", [0.4, 0.0])
def test_what_is_about_to_need_a_fetch_is_said_to_need_it(
    key_server: Any, client: JwksClient, seconds_left: float
) -> None:
    """An event loop that was told otherwise verifies a moment later, and must not be held up then."""
    verify(key_server.token(), client)
    fetched = time.monotonic() - jwks.FRESH_SECONDS + seconds_left
    client._key_set = jwks._KeySet(client._key_set.keys, fetched)
    assert token.would_fetch(key_server.token(sub="another"), client)
    client._key_set = jwks._KeySet({}, next_fetch=time.monotonic() + seconds_left)
    assert token.would_fetch(key_server.token(sub="another"), client)
    known = key_server.token(sub="known")
    client.remember(known, time.time() + seconds_left, object())
    assert token.would_fetch(known, client)


def test_only_ed25519_keys_for_signatures_are_taken(key_server: Any, client: JwksClient) -> None:
    _, body = key_server.document()
    good = json.loads(body)["keys"][0]
    others = [
        good | {"kid": "encryption", "use": "enc"},
        good | {"kid": "x25519", "crv": "X25519"},
        good | {"kid": "short", "x": "AAAA"},
        good | {"kid": "number", "x": 5},
        good | {"kid": "symmetric", "kty": "oct", "k": "AAAA"},
        good | {"kid": 7},
        {"kid": "empty"},
        "not a key",
        None,
    ]
    key_server.answer = (200, json.dumps({"keys": [*others, good]}).encode())
    assert verify(key_server.token(), client) is not None
    assert list(client._key_set.keys) == ["first"]
